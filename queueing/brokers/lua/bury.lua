#!lua flags=allow-oom
-- Move a delivery into its group's dead letters.
-- KEYS  1 log  2 counters  3 holders  4 waiting  5 retry  6 dead  7 graves  8 series  9 quarantined
-- ARGV  1 group  2 consumer  3 source  4 offset  5 message id  6 envelope, reason and history (JSON)
--       7 '1': it is quarantined
-- returns  1, or 0 when it was not ours
--!include own.lua
--!include series.lua
local source, offset, id = ARGV[3], ARGV[4], ARGV[5]
if not owns(KEYS[1], KEYS[3], ARGV[1], ARGV[2], source, offset, id) then return 0 end
note_group(KEYS[2], KEYS[8])
release(KEYS[1], KEYS[2], KEYS[3], ARGV[1], source, offset, id)
if set_aside(KEYS[5], KEYS[3], KEYS[6], id) then
  redis.call('HINCRBY', KEYS[2], 'done', 1)
  return 1
end
redis.call('HDEL', KEYS[4], id, id .. ':n')
redis.call('HSET', KEYS[7], id, ARGV[6])
redis.call('HINCRBY', KEYS[2], 'buried', 1)
redis.call('ZADD', KEYS[6], string.format('%.0f', now_ms()), id)
if ARGV[7] == '1' then redis.call('SADD', KEYS[9], id) end
return 1
