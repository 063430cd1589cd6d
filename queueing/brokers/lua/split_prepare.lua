#!lua
-- Make the partition that another one is about to be split into: nobody produces to it and nobody reads it yet.
-- KEYS  1 meta
-- ARGV  1 generation
-- returns  1, or 0 when it is there already
if redis.call('HEXISTS', KEYS[1], 'generation') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'arriving', 1, 'sorted', 0)
return 1
