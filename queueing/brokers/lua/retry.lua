#!lua flags=allow-oom
-- Move a delivery into its group's retry set.
-- KEYS  1 log  2 counters  3 holders  4 waiting  5 retry  6 dead  7 series
-- ARGV  1 group  2 consumer  3 source  4 offset  5 message id  6 delay, ms  7 envelope and history (JSON)
--       8 attempts begun so far  9 '1': it failed, and counts as retried; '0': it came too early
-- returns  1, or 0 when it was not ours
--!include own.lua
--!include series.lua
local source, offset, id = ARGV[3], ARGV[4], ARGV[5]
if not owns(KEYS[1], KEYS[3], ARGV[1], ARGV[2], source, offset, id) then return 0 end
note_group(KEYS[2], KEYS[7])
release(KEYS[1], KEYS[2], KEYS[3], ARGV[1], source, offset, id)
if set_aside(KEYS[5], KEYS[3], KEYS[6], id) then
  redis.call('HINCRBY', KEYS[2], 'done', 1)
  return 1
end
redis.call('HSET', KEYS[4], id, ARGV[7], id .. ':n', ARGV[8])
redis.call('HINCRBY', KEYS[2], 'retried', ARGV[9])
redis.call('ZADD', KEYS[5], string.format('%.0f', now_ms() + tonumber(ARGV[6])), id)
return 1
