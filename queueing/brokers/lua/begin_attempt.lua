#!lua flags=allow-oom
-- Count an attempt before it begins.
-- KEYS  1 log
-- ARGV  1 group  2 consumer  3 offset  4 attempts begun including this one
-- returns  1, or 0 when the entry is not ours
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', ARGV[4], 'JUSTID')
return 1
