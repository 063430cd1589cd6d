#!lua
-- Open a sale's gate, or move the window, price and limit of one that exists. Its stock, sequence and epoch are set once.
-- KEYS  1 gate  2 meta of its admission log
-- ARGV  1 price_cents  2 starts_at_ms  3 ends_at_ms  4 per_user_limit  5 capacity  6 epoch
--       7 stock to open with; '' to update a gate that must exist
--       8 turns_per_s  9 turn_s  10 room ('off', 'on', 'closed')  11 seed of the draw, kept if there is one
-- returns  'opened' | 'updated' | 'missing'
for a = 1, 9 do
  if not string.find(ARGV[a], '^%d+$') and not (a == 7 and ARGV[a] == '') then
    error('gate: argument ' .. a .. ' is not a whole number')
  end
end
if ARGV[10] ~= 'off' and ARGV[10] ~= 'on' and ARGV[10] ~= 'closed' then error('gate: no such room: ' .. ARGV[10]) end
-- The sequence goes on where the admission log stands, so that a place in the queue is a difference of two counters.
local seq = redis.call('HGET', KEYS[2], 'appended') or '0'
local exists = redis.call('HEXISTS', KEYS[1], 'stock') == 1
if not exists and ARGV[7] == '' then return 'missing' end
redis.call('HSET', KEYS[1], 'price_cents', ARGV[1], 'starts_at_ms', ARGV[2], 'ends_at_ms', ARGV[3], 'per_user_limit', ARGV[4],
  'capacity', ARGV[5], 'turns_per_s', ARGV[8], 'turn_s', ARGV[9], 'room', ARGV[10])
redis.call('HSETNX', KEYS[1], 'seed', ARGV[11])
if exists then return 'updated' end
redis.call('HSET', KEYS[1], 'stock', ARGV[7], 'initial', ARGV[7], 'epoch', ARGV[6], 'seq', seq, 'open', '1')
return 'opened'
