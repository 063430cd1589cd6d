#!lua flags=allow-oom
-- Hand out retried messages whose time has come.
-- KEYS  1 retry  2 holders  3 waiting
-- ARGV  1 consumer  2 limit
-- returns  per message: id, envelope and history (JSON), attempts begun including this one
--!include own.lua
local ids = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now_ms()), 'BYSCORE', 'LIMIT', 0, ARGV[2])
local reply = {}
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HSET', KEYS[2], id, ARGV[1])
  local attempt = redis.call('HINCRBY', KEYS[3], id .. ':n', 1)
  reply[#reply + 1] = {id, redis.call('HGET', KEYS[3], id), attempt}
end
return reply
