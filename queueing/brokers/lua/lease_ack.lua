#!lua flags=allow-oom
-- Acknowledge, by the lease's token; a head that is done passes its place to its first follower.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  5 number of log entries  then their offsets;  then id and key of each
--       retried message
-- returns  how many were ours, or -1 when the lease is lost
--!include lease.lua
--!include own.lua
--!include parking.lua
--!include series.lua
if not holds() then return -1 end
note_group(COUNTERS, SERIES)
local PAGE, last, ours = 1000, 5 + tonumber(ARGV[5]), 0
for from = 6, last, PAGE do
  ours = ours + redis.call('XACK', LOG, ARGV[4], unpack(ARGV, from, math.min(from + PAGE - 1, last)))
end
if ours > 0 then redis.call('HINCRBY', COUNTERS, 'acked', ours) end
for i = last + 1, #ARGV, 2 do
  local id, key = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', HOLDERS, id) == ARGV[1] then
    redis.call('HDEL', HOLDERS, id)
    redis.call('HDEL', WAITING, id, id .. ':n', id .. ':s')
    ours = ours + 1
    pass_on(key, id)
  end
end
if ours > 0 then redis.call('HINCRBY', COUNTERS, 'done', ours) end
return ours
