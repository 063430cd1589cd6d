#!lua flags=allow-oom
-- Acknowledge what is still ours.
-- KEYS  1 log  2 counters  3 holders  4 waiting
-- ARGV  1 group  2 consumer  then per delivery: source ('log' | 'retry'), offset, message id
-- returns  how many were ours
--!include own.lua
local group, consumer, ours = ARGV[1], ARGV[2], 0
for i = 3, #ARGV, 3 do
  local source, offset, id = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if owns(KEYS[1], KEYS[3], group, consumer, source, offset, id) then
    release(KEYS[1], KEYS[2], KEYS[3], group, source, offset, id)
    if source == 'retry' then redis.call('HDEL', KEYS[4], id, id .. ':n') end
    redis.call('HINCRBY', KEYS[2], 'done', 1)
    ours = ours + 1
  end
end
return ours
