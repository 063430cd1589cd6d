#!lua flags=allow-oom
-- Forget what has arrived where its key moved.
-- KEYS  1 counters  2 leaving
-- ARGV  message ids
-- returns  how many
local gone = redis.call('HDEL', KEYS[2], unpack(ARGV))
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'moved', -gone) end
return gone
