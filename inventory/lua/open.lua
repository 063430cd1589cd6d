#!lua
-- Open a sale's gate, or change the terms of one that exists: window, price, limit, waiting room, pause, notice. Its stock,
-- sequence and epoch are set once. What the line granted up to this moment it granted by the terms of before.
-- KEYS  1 gate  2 meta of its admission log  3 room  4 claims
-- ARGV  1 price_cents  2 starts_at_ms  3 ends_at_ms  4 per_user_limit  5 capacity  6 epoch
--       7 stock to open with; '' to update a gate that must exist
--       8 turns_per_s  9 turn_s  10 room ('off', 'on', 'closed')  11 seed of the draw, kept if there is one
--       12 paused ('0' or '1')  13 notice  14 revision of these terms
-- returns  'opened' | 'updated' | 'missing' | 'older' (it has terms of a later revision, and keeps them)
--!include line.lua
for a = 1, 9 do
  if not string.find(ARGV[a], '^%d+$') and not (a == 7 and ARGV[a] == '') then
    error('gate: argument ' .. a .. ' is not a whole number')
  end
end
if ARGV[10] ~= 'off' and ARGV[10] ~= 'on' and ARGV[10] ~= 'closed' then error('gate: no such room: ' .. ARGV[10]) end
if ARGV[12] ~= '0' and ARGV[12] ~= '1' then error('gate: paused is neither 0 nor 1') end
if not string.find(ARGV[14], '^%d+$') then error('gate: the revision is not a whole number') end
-- The sequence goes on where the admission log stands, so that a place in the queue is a difference of two counters.
local seq = redis.call('HGET', KEYS[2], 'appended') or '0'
local names, gate = {'stock', 'revision', 'room', 'turns_per_s', 'turn_s', 'starts_at_ms', 'ends_at_ms', 'seed', 'paused'}, {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do gate[names[i]] = value end
local exists = gate.stock
if not exists and ARGV[7] == '' then return 'missing' end
if exists and tonumber(gate.revision or '0') > tonumber(ARGV[14]) then return 'older' end
redis.call('ZCARD', KEYS[4]) -- a key of the wrong type raises here, where nothing is written yet
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if exists and gate.room and gate.room ~= 'off' and now < tonumber(gate.ends_at_ms) then line_at(gate, KEYS[3], KEYS[4], now) end
redis.call('HSET', KEYS[1], 'price_cents', ARGV[1], 'starts_at_ms', ARGV[2], 'ends_at_ms', ARGV[3], 'per_user_limit', ARGV[4],
  'capacity', ARGV[5], 'turns_per_s', ARGV[8], 'turn_s', ARGV[9], 'room', ARGV[10], 'paused', ARGV[12], 'notice', ARGV[13],
  'revision', ARGV[14])
redis.call('HSETNX', KEYS[1], 'seed', ARGV[11])
if exists then return 'updated' end
redis.call('HSET', KEYS[1], 'stock', ARGV[7], 'initial', ARGV[7], 'epoch', ARGV[6], 'seq', seq, 'open', '1',
  'units', '0', 'returned', '0', 'before', string.format('%.0f', 0 - tonumber(seq)))
return 'opened'
