#!lua flags=allow-oom
-- Charge messages against a cap shared by all consumers of a group: a token bucket that may go into debt.
-- KEYS  1 rate
-- ARGV  1 messages a second  2 most that is saved up, seconds' worth  3 messages to charge
--       4 what a cap that was never charged has saved up, seconds' worth
-- returns  how long until the debt is paid, in microseconds; less than 0: what is saved up
-- The debt is kept as time. When the cap falls it is paid off as fast as before; when it rises, as fast as it says now:
-- who corrects a cap that was far too low need not wait for what it cost.
-- A clock that jumps back earns nothing and costs nothing; one that jumps ahead earns at most what can be saved up.
local rate, saved_up, n = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000, tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local kept = redis.call('HMGET', KEYS[1], 'debt', 'at', 'rate')
local debt, at, before = tonumber(kept[1] or -tonumber(ARGV[4]) * 1000000), tonumber(kept[2] or now), tonumber(kept[3] or ARGV[1])
debt = math.max(-saved_up, debt - math.max(0, now - at))
if debt > 0 and before < rate then debt = debt * before / rate end
debt = debt + n * 1000000 / rate
redis.call('HSET', KEYS[1], 'debt', string.format('%.3f', debt), 'at', string.format('%.0f', now), 'rate', ARGV[1])
return math.ceil(debt)
