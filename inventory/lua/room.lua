#!lua
-- The line as everybody may see it, turns granted up to now.
-- KEYS  1 gate  2 room  3 claims
-- ARGV  none
-- returns  {mode, serving, joined, before, turns_per_s, turn_s, seed}    seed: '' before the start
--          | {'off'}
--!include line.lua
local names = {'room', 'turns_per_s', 'turn_s', 'starts_at_ms', 'seed', 'paused'}
local gate = {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do gate[names[i]] = value end
if not gate.room or gate.room == 'off' then return {'off'} end
redis.call('ZCARD', KEYS[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local line = line_at(gate, KEYS[2], KEYS[3], now)
local seed = now < tonumber(gate.starts_at_ms) and '' or gate.seed
return {line.mode, line.serving, line.joined, line.before, tonumber(gate.turns_per_s), tonumber(gate.turn_s), seed}
