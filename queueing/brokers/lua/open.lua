#!lua flags=allow-oom
-- Let a group read a partition that was split from another: what it held of the keys that moved has arrived.
-- KEYS  1 counters  2 arrived
-- ARGV  1 round
-- returns  1, or 0 when the group was put back since
if (redis.call('HGET', KEYS[1], 'round') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'open', 1)
redis.call('DEL', KEYS[2])
return 1
