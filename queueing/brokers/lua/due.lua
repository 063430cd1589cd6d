#!lua flags=allow-oom
-- Hand out retried messages whose time has come.
-- KEYS  1 retry  2 holders  3 waiting
-- ARGV  1 consumer  2 limit
-- returns  per message: id, envelope and history (JSON), the attempt that comes now
-- It is counted by begin_attempt, one message at a time: what waits behind one that kills its process has not begun.
--!include own.lua
local ids = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now_ms()), 'BYSCORE', 'LIMIT', 0, ARGV[2])
local reply = {}
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HSET', KEYS[2], id, ARGV[1])
  local kept = redis.call('HMGET', KEYS[3], id, id .. ':n')
  reply[#reply + 1] = {id, kept[1], tonumber(kept[2] or '0') + 1}
end
return reply
