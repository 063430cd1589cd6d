#!lua flags=allow-oom
-- Forget a consumer that holds nothing. (XGROUP DELCONSUMER would drop what it holds.)
-- KEYS  1 log  2 holders
-- ARGV  1 group  2 consumer
-- returns  1 when it is gone, 0 when it still holds something
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
for _, holder in ipairs(redis.call('HVALS', KEYS[2])) do
  if holder == ARGV[2] then return 0 end
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
