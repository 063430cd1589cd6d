#!lua flags=allow-oom
-- Move a delivery into its group's dead letters, by the lease's token; its key stays blocked or goes on.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  5 source  6 offset  7 message id  8 key  9 envelope, reason and history
--       (JSON)  10 '1': its key stays blocked  11 '1': it is quarantined
-- returns  1 when its key is blocked; 2 when it goes on; 0 when it was not ours; -1 when the lease is lost
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
redis.call('HDEL', WAITING, id, id .. ':n', id .. ':s')
redis.call('HSET', GRAVES, id, ARGV[9])
redis.call('HINCRBY', COUNTERS, 'buried', 1)
redis.call('ZADD', DEAD, string.format('%.0f', now_ms()), id)
if ARGV[11] == '1' then redis.call('SADD', QUARANTINED, id) end
if ARGV[10] == '1' then
  block(key, id)
  return 1
end
pass_on(key, id)
return 2
