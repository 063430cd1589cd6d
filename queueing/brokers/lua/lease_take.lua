#!lua flags=allow-oom
-- Lease a partition to a consumer. What the last holder had in hand from the retry set goes back to where it waited.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 the owner it may be taken from ('': nobody)
-- returns  n of the token, or 0 when somebody else holds it or Redis knows a newer epoch
--!include lease.lua
--!include own.lua
--!include parking.lua
local lease = redis.call('HMGET', LEASE, 'owner', 'epoch')
local owner, epoch, mine = lease[1] or '', tonumber(lease[2] or '0'), tonumber(ARGV[2])
if epoch > mine then return 0 end
if epoch == mine and owner ~= '' and owner ~= ARGV[1] and owner ~= ARGV[3] then return 0 end
redis.call('HSET', LEASE, 'owner', ARGV[1], 'epoch', ARGV[2])

local in_hand, held = {}, redis.call('HKEYS', HOLDERS)
for _, id in ipairs(held) do
  local key = key_of(id)
  in_hand[key] = in_hand[key] or {}
  table.insert(in_hand[key], {redis.call('HGET', WAITING, id .. ':s') or '', id})
end
for key, messages in pairs(in_hand) do
  table.sort(messages, function(a, b) return a[1] < b[1] end)
  local head = redis.call('HGET', HEADS, key)
  local headless = head and redis.call('HEXISTS', HOLDERS, head) == 1  -- the head itself was in hand
  for _, message in ipairs(messages) do
    if not head then
      wake(message[2])
    elseif headless then
      redis.call('HSET', HEADS, key, message[2])
      wake(message[2])
      headless = false
    else
      park(message[2], key)
    end
  end
end
if #held > 0 then redis.call('DEL', HOLDERS) end
return redis.call('HINCRBY', LEASE, 'n', 1)
