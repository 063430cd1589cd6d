#!lua
-- One more in a leaky bucket, if it has room.
-- KEYS  1 bucket
-- ARGV  1 how many a second it takes  2 how many at once
-- returns  0: taken  | milliseconds until there is room; nothing was written
--!include bucket.lua
local b = bucket(KEYS[1], ARGV[1], ARGV[2])
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local wait = wait_ms(b, now)
if wait == 0 then fill(b, now) end
return wait
