#!lua
-- Split a partition: from here on it is of the next generation, and nothing of a key that moved is appended to it.
-- KEYS  1 log  2 meta
-- ARGV  1 generation
-- returns  1; 0 when it is of this generation already; -1 when delayed messages of an earlier split are still moving
local meta = redis.call('HMGET', KEYS[2], 'generation', 'splitting', 'arriving')
if tonumber(meta[1] or '0') >= tonumber(ARGV[1]) then return 0 end
if meta[2] or meta[3] then return -1 end
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local about = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then last = about[i + 1] end
  end
end
redis.call('HSET', KEYS[2], 'generation', ARGV[1], 'switch:' .. ARGV[1], last, 'splitting', ARGV[1], 'sorted', 0)
return 1
