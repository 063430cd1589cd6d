#!lua
-- Open a sale's gate, or move the window, price and limit of one that exists. Its stock, sequence and epoch are set once.
-- KEYS  1 gate  2 meta of its admission log
-- ARGV  1 price_cents  2 starts_at_ms  3 ends_at_ms  4 per_user_limit  5 capacity  6 epoch
--       7 stock to open with; '' to update a gate that must exist
-- returns  'opened' | 'updated' | 'missing'
for a = 1, 7 do
  if not string.find(ARGV[a], '^%d+$') and not (a == 7 and ARGV[a] == '') then
    error('gate: argument ' .. a .. ' is not a whole number')
  end
end
-- The sequence goes on where the admission log stands, so that a place in the queue is a difference of two counters.
local seq = redis.call('HGET', KEYS[2], 'appended') or '0'
local exists = redis.call('HEXISTS', KEYS[1], 'stock') == 1
if not exists and ARGV[7] == '' then return 'missing' end
redis.call('HSET', KEYS[1], 'price_cents', ARGV[1], 'starts_at_ms', ARGV[2], 'ends_at_ms', ARGV[3], 'per_user_limit', ARGV[4],
  'capacity', ARGV[5], 'open', '1')
if exists then return 'updated' end
redis.call('HSET', KEYS[1], 'stock', ARGV[7], 'initial', ARGV[7], 'epoch', ARGV[6], 'seq', seq)
return 'opened'
