#!lua flags=allow-oom
-- Forget delayed messages that have arrived where their keys moved.
-- KEYS  1 meta  2 later:leaving
-- ARGV  message ids
-- returns  how many
local gone = 0
for _, id in ipairs(ARGV) do
  if redis.call('HDEL', KEYS[2], id, id .. ':b', id .. ':d') > 0 then gone = gone + 1 end
end
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'moved', -gone) end
return gone
