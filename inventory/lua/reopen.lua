#!lua
-- Put a rebuilt gate in the place of the one that lost its data, in one step. A gate of this epoch or a later one stays:
-- whoever rebuilt more slowly changes nothing.
-- KEYS  1 gate  2 buyers  3 answers  4 applied  5 meta of the admission log  6 7 8 drafts of 2 3 4 (missing: empty)
-- ARGV  1 to 14 as of open.lua  15 initial  16 units  17 orders that were ever admitted  18 units returned
-- returns  1 opened | 0 there is one of this epoch or a later one
for _, a in ipairs({1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 16, 17, 18}) do
  if not string.find(ARGV[a], '^%-?%d+$') then error('gate: argument ' .. a .. ' is not a whole number') end
end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and tonumber(epoch) >= tonumber(ARGV[6]) then
  redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
  return 0
end
local seq = redis.call('HGET', KEYS[5], 'appended') or '0'
for k = 2, 4 do
  redis.call('DEL', KEYS[k])
  if redis.call('EXISTS', KEYS[k + 4]) == 1 then redis.call('RENAME', KEYS[k + 4], KEYS[k]) end
  redis.call('PERSIST', KEYS[k])
end
redis.call('HSET', KEYS[1], 'price_cents', ARGV[1], 'starts_at_ms', ARGV[2], 'ends_at_ms', ARGV[3], 'per_user_limit', ARGV[4],
  'capacity', ARGV[5], 'epoch', ARGV[6], 'stock', ARGV[7], 'turns_per_s', ARGV[8], 'turn_s', ARGV[9], 'room', ARGV[10],
  'paused', ARGV[12], 'notice', ARGV[13], 'revision', ARGV[14], 'initial', ARGV[15], 'seq', seq, 'open', '1',
  'units', ARGV[16], 'before', string.format('%.0f', tonumber(ARGV[17]) - tonumber(seq)), 'returned', ARGV[18])
redis.call('HSETNX', KEYS[1], 'seed', ARGV[11])
return 1
