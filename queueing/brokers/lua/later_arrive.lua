#!lua
-- Take in delayed messages whose keys moved here. Doing it again changes nothing, also when one came and went since.
-- KEYS  1 later  2 drafts  3 meta  4 later:arrived
-- ARGV  per message: id, due, envelope, body
-- returns  1, or 0 when all that may come have come
if redis.call('HEXISTS', KEYS[3], 'arriving') == 0 then return 0 end
for a = 1, #ARGV, 4 do
  local id = ARGV[a]
  if redis.call('SADD', KEYS[4], id) == 1 then
    redis.call('HINCRBY', KEYS[3], 'moved', 1)
    if redis.call('ZADD', KEYS[1], 'NX', ARGV[a + 1], id) == 1 then
      redis.call('HSET', KEYS[2], id, ARGV[a + 2], id .. ':b', ARGV[a + 3])
    else  -- it was produced twice, and the other copy came by itself
      redis.call('HINCRBY', KEYS[3], 'cancelled', 1)
    end
  end
end
return 1
