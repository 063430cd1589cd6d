#!lua flags=allow-oom
-- Move a delivery into its group's retry set, by the lease's token. It is the head of its key, which is blocked now.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  5 source  6 offset  7 message id  8 key  9 delay, ms
--       10 envelope and history (JSON)  11 attempts begun so far  12 '1': it failed, and counts as retried; '0': it came too early
-- returns  1; 2 when the key is not blocked by it, as it was a copy of a message set aside before; 0 when it was not
--          ours; -1 when the lease is lost
--!include lease.lua
--!include own.lua
--!include parking.lua
--!include series.lua
if not holds() then return -1 end
local source, offset, id, key = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
if not owns(LOG, HOLDERS, ARGV[4], ARGV[1], source, offset, id) then return 0 end
note_group(COUNTERS, SERIES)
release(LOG, COUNTERS, HOLDERS, ARGV[4], source, offset, id)
if source == 'log' and known(id) then
  redis.call('HINCRBY', COUNTERS, 'done', 1)
  return 2
end
redis.call('HSET', WAITING, id, ARGV[10], id .. ':n', ARGV[11])
redis.call('HINCRBY', COUNTERS, 'retried', ARGV[12])
redis.call('ZADD', RETRY, string.format('%.0f', now_ms() + tonumber(ARGV[9])), id)
block(key, id)
return 1
