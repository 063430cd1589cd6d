#!lua
-- Hold a group's number of consumers, unless somebody holds it already.
-- KEYS  1 the group's scale
-- ARGV  1 the hold (JSON)
-- returns  1 it is held | 0 somebody was first, and what that one wants still holds
local before = redis.call('HGET', KEYS[1], 'hold')
if before then
  local time = redis.call('TIME')
  if cjson.decode(before).until_ms > time[1] * 1000 + time[2] / 1000 then return 0 end
end
redis.call('HSET', KEYS[1], 'hold', ARGV[1], 'kind', '')
return 1
