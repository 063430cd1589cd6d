#!lua flags=allow-oom
-- Decide on a group's consumers, and tell it, in one step: of several supervisors that see the same lag one changes it.
-- KEYS  1 the group's scale  2 events
-- ARGV  1 serial that was seen  2 desired  3 direction: up, down or hold  4 kind  5 acked a second  6 event (JSON)
--       7 most events kept  8 now, ms  9 ms: a kind of hold told since then is not told again
-- returns  1 it is so, and told | 0 somebody was first, or a hold of this kind was told lately
if tonumber(redis.call('HGET', KEYS[1], 'serial') or 0) ~= tonumber(ARGV[1]) then return 0 end
if ARGV[3] == 'hold' then
  local told = 'told:' .. ARGV[4]
  if redis.call('HGET', KEYS[1], 'kind') == ARGV[4] then return 0 end
  local lately = tonumber(redis.call('HGET', KEYS[1], told) or 0) > tonumber(ARGV[9])
  redis.call('HSET', KEYS[1], 'kind', ARGV[4])
  if lately then return 0 end
  redis.call('HSET', KEYS[1], told, ARGV[8])
else
  redis.call('HINCRBY', KEYS[1], 'serial', 1)
  redis.call('HSET', KEYS[1], 'desired', ARGV[2], 'direction', ARGV[3], 'acked', ARGV[5], 'kind', ARGV[4])
end
redis.call('RPUSH', KEYS[2], ARGV[6])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[7]), -1)
return 1
