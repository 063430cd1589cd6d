#!lua flags=allow-oom
-- A group is put back in the partition that this one was split from: let it wait for it again.
-- KEYS  1 counters  2 lease
-- returns  1
redis.call('HDEL', KEYS[1], 'open')
redis.call('HINCRBY', KEYS[1], 'round', 1)
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], 'owner', '')
  redis.call('HINCRBY', KEYS[2], 'n', 1)
end
return 1
