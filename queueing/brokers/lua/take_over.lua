#!lua flags=allow-oom
-- Take entries from a consumer that died; when it holds nothing more, forget it.
-- KEYS  1 log  2 holders  3 retry
-- ARGV  1 group  2 dead consumer  3 new owner  4 limit
-- returns  per entry: offset, attempts begun so far, its fields
-- JUSTID keeps the delivery count: only begin_attempt counts, so neighbours of a poison message are not buried with it.
--!include own.lua
local group, dead, owner = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HGETALL', KEYS[2])
for i = 1, #held, 2 do
  if held[i + 1] == dead then
    redis.call('HDEL', KEYS[2], held[i])
    redis.call('ZADD', KEYS[3], string.format('%.0f', now_ms()), held[i])
  end
end
local reply = {}
local pending = redis.call('XPENDING', KEYS[1], group, '-', '+', ARGV[4], dead)
for _, entry in ipairs(pending) do
  redis.call('XCLAIM', KEYS[1], group, owner, 0, entry[1], 'JUSTID')
  local found = redis.call('XRANGE', KEYS[1], entry[1], entry[1])
  reply[#reply + 1] = {entry[1], entry[4], found[1] and found[1][2] or {}}
end
if #pending < tonumber(ARGV[4]) then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, dead) end
return reply
