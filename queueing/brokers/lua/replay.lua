#!lua
-- Move a dead letter back to its group, due now. A second replay finds nothing and changes nothing.
-- KEYS  1 dead  2 graves  3 retry  4 waiting
-- ARGV  1 message id  2 envelope and history (JSON)
-- returns  1, or 0 when it is not among the dead
--!include own.lua
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2], ARGV[1] .. ':n', 0)
redis.call('ZADD', KEYS[3], string.format('%.0f', now_ms()), ARGV[1])
return 1
