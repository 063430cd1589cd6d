#!lua flags=allow-oom
-- Forget a delayed message.
-- KEYS  1 later  2 drafts  3 meta
-- ARGV  1 message id
-- returns  1, or 0 when it is not waiting here (any more)
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ':b')
redis.call('HINCRBY', KEYS[3], 'cancelled', 1)
return 1
