#!lua flags=allow-oom
-- Take a movement of the ledger into the gate, once per ledger entry: units returned by a buyer, or units added.
-- It may run over maxmemory: what it adds is a few bytes, and a full Redis must still be able to sell what came back.
-- KEYS  1 gate  2 buyers  3 applied
-- ARGV  per movement: ledger id, quantity, user id ('' for an addition)
-- returns  per movement  'applied' | 'already' | 'missing' (no gate, or a closed one that is about to be replaced by one
--          that was rebuilt from the ledger; nothing done)
local function whole(text, name)
  if not text or not string.find(text, '^%-?%d+$') then error('gate: ' .. name .. ' is not a whole number') end
  return tonumber(text)
end

local counts = redis.call('HGET', KEYS[1], 'returned') -- false: the gate was opened before it kept count
if counts then whole(counts, 'returned') end
local stock = redis.call('HGET', KEYS[1], 'open') == '1' and redis.call('HGET', KEYS[1], 'stock')
if stock then
  whole(stock, 'stock')
  whole(redis.call('HGET', KEYS[1], 'initial') or '0', 'initial')
end
redis.call('SCARD', KEYS[3])
for a = 1, #ARGV, 3 do
  whole(ARGV[a + 1], 'quantity')
  if ARGV[a + 2] ~= '' then whole(redis.call('HGET', KEYS[2], ARGV[a + 2]) or '0', 'units of a buyer') end
end

local replies = {}
for a = 1, #ARGV, 3 do
  local ledger_id, quantity, user = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  if not stock then
    replies[#replies + 1] = 'missing'
  elseif redis.call('SADD', KEYS[3], ledger_id) == 0 then
    replies[#replies + 1] = 'already'
  else
    redis.call('HINCRBY', KEYS[1], 'stock', quantity)
    if user == '' then
      redis.call('HINCRBY', KEYS[1], 'initial', quantity)
    else
      if counts then redis.call('HINCRBY', KEYS[1], 'returned', quantity) end
      if redis.call('HINCRBY', KEYS[2], user, '-' .. quantity) <= 0 then redis.call('HDEL', KEYS[2], user) end
    end
    replies[#replies + 1] = 'applied'
  end
end
return replies
