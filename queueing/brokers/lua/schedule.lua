#!lua
-- Keep messages in their partition until they are due. One that is kept already stays as it is.
-- KEYS  1 later  2 drafts  3 meta
-- ARGV  1 generation that the producer believes the partition to be of
--       then per message: id, due (ms since 1970), envelope (JSON list: name, version, key, at_ms, headers), body
-- returns  {'ok' or 'began': nothing was ever kept here, how many are new} | {'moved', generation}
local meta = redis.call('HMGET', KEYS[3], 'generation', 'scheduled')
local generation = meta[1] or '0'
if generation ~= ARGV[1] then return {'moved', generation} end
redis.call('ZCARD', KEYS[1]) redis.call('HLEN', KEYS[2]) redis.call('HLEN', KEYS[3])  -- wrong types raise before a write
local new = 0
for a = 2, #ARGV, 4 do
  local id = ARGV[a]
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[a + 1], id) == 1 then
    redis.call('HSET', KEYS[2], id, ARGV[a + 2], id .. ':b', ARGV[a + 3])
    new = new + 1
  end
end
redis.call('HINCRBY', KEYS[3], 'scheduled', new)
return {meta[2] and 'ok' or 'began', new}
