#!lua flags=allow-oom
-- End a hold, unless it is another one by now.
-- KEYS  1 the group's scale
-- ARGV  1 until when the one holds that should end, ms; '' for whichever there is
-- returns  1 if it ended now, else 0
local held = redis.call('HGET', KEYS[1], 'hold')
if not held then return 0 end
local time, until_ms = redis.call('TIME'), cjson.decode(held).until_ms
if ARGV[1] ~= '' and until_ms ~= tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'hold')
return until_ms > time[1] * 1000 + time[2] / 1000 and 1 or 0
