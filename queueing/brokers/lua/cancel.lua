#!lua flags=allow-oom
-- Forget a delayed message.
-- KEYS  1 later  2 drafts  3 meta  4 later:leaving
-- ARGV  1 message id
-- returns  1; 0 when it is not waiting here (any more); -1 when it is on its way to the partition its key moved to
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return -redis.call('HEXISTS', KEYS[4], ARGV[1]) end
redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ':b')
redis.call('HINCRBY', KEYS[3], 'cancelled', 1)
return 1
