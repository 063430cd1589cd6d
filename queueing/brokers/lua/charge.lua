#!lua flags=allow-oom
-- Charge messages against a group's rate, shared by all its consumers: a token bucket that may go into debt.
-- KEYS  1 rate
-- ARGV  1 tokens a second  2 most tokens saved up  3 messages to charge
-- returns  how long until the debt is paid, in microseconds; 0 when there is none
-- A clock that jumps back earns nothing and costs nothing; one that jumps ahead earns at most what can be saved up.
local rate, most, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1] or ARGV[2]), tonumber(kept[2] or '0')
tokens = math.min(most, tokens + math.max(0, now - at) * rate / 1000000) - n
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
if tokens >= 0 then return 0 end
return math.ceil(-tokens * 1000000 / rate)
