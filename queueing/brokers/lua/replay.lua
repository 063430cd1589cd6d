#!lua
-- Move dead letters back to their group, due now. One that is not there any more, or not as it was seen, stays as it is.
-- KEYS  1 dead  2 graves  3 retry  4 waiting  5 quarantined  6 counters
-- ARGV  per letter: message id, seal (SHA-1 of its envelope as it was seen), envelope and history from now on (JSON)
-- returns  how many were moved
--!include own.lua
--!include sealed.lua
local moved, now = 0, string.format('%.0f', now_ms())
for a = 1, #ARGV, 3 do
  local id = ARGV[a]
  if sealed(KEYS[1], KEYS[2], id, ARGV[a + 1]) then
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('SREM', KEYS[5], id)
    redis.call('HSET', KEYS[4], id, ARGV[a + 2], id .. ':n', 0)
    redis.call('ZADD', KEYS[3], now, id)
    moved = moved + 1
  end
end
if moved > 0 then redis.call('HINCRBY', KEYS[6], 'replays', moved) end
return moved
