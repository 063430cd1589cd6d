#!lua flags=allow-oom
-- Hand out heads whose time has come: one that was begun before by itself; others together with their followers.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 limit
-- returns  per message: envelope and history (JSON), attempts begun including this one; nil when the lease is lost
--!include lease.lua
--!include own.lua
--!include parking.lua
if not holds() then return false end
local limit, reply = tonumber(ARGV[4]), {}

local function begun(id) return tonumber(redis.call('HGET', WAITING, id .. ':n') or '0') end

local function hand_out(id)
  redis.call('HSET', HOLDERS, id, ARGV[1])
  local attempt = redis.call('HINCRBY', WAITING, id .. ':n', 1)
  reply[#reply + 1] = {redis.call('HGET', WAITING, id), attempt}
end

for _, id in ipairs(redis.call('ZRANGE', RETRY, '-inf', string.format('%.0f', now_ms()), 'BYSCORE', 'LIMIT', 0, limit)) do
  if #reply >= limit then break end
  if begun(id) > 0 then
    if #reply == 0 then
      redis.call('ZREM', RETRY, id)
      hand_out(id)
      break
    end
  else
    redis.call('ZREM', RETRY, id)
    hand_out(id)
    local key = key_of(id)
    if redis.call('HGET', HEADS, key) == id then
      for _, member in ipairs(followers(key, limit - #reply)) do
        local follower = id_of(member, key)
        if begun(follower) > 0 then break end
        redis.call('ZREM', PARKED, member)
        redis.call('HSET', HEADS, key, follower)
        hand_out(follower)
      end
    end
  end
end
return reply
