#!lua flags=allow-oom
-- Count an attempt before it begins.
-- KEYS  1 log  2 holders  3 waiting
-- ARGV  1 group  2 consumer  3 source  4 offset  5 message id  6 attempts begun including this one
-- returns  1, or 0 when the delivery is not ours
--!include own.lua
local group, consumer, source, offset, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if not owns(KEYS[1], KEYS[2], group, consumer, source, offset, id) then return 0 end
if source == 'retry' then
  redis.call('HSET', KEYS[3], id .. ':n', ARGV[6])
else
  redis.call('XCLAIM', KEYS[1], group, consumer, 0, offset, 'RETRYCOUNT', ARGV[6], 'JUSTID')
end
return 1
