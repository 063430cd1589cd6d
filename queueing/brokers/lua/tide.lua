#!lua
-- Raise the high-water mark, unless it is lower than somebody remembers: then this store has lost data.
-- KEYS  1 tide
-- ARGV  1 the mark that is remembered
-- returns  the new mark | -1 it is lower
local mark = tonumber(redis.call('GET', KEYS[1]) or '0')
if mark < tonumber(ARGV[1]) then return -1 end
return redis.call('INCR', KEYS[1])
