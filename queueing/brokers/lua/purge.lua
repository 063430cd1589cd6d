#!lua flags=allow-oom
-- Forget dead letters. Followers that were parked behind one go on. One that is not there as it was seen stays.
-- KEYS  1 dead  2 graves  3 quarantined  4 counters  5 purged  6 heads  7 parked  8 waiting  9 retry
-- ARGV  per letter: message id, seal (SHA-1 of its envelope as it was seen), key
-- returns  how many are gone
local DEAD, GRAVES, QUARANTINED, COUNTERS, PURGED, HEADS, PARKED, WAITING, RETRY = unpack(KEYS)
--!include own.lua
--!include parking.lua
--!include sealed.lua
local gone, now = 0, string.format('%.0f', now_ms())
for a = 1, #ARGV, 3 do
  local id, key = ARGV[a], ARGV[a + 2]
  if sealed(DEAD, GRAVES, id, ARGV[a + 1]) then
    redis.call('ZREM', DEAD, id)
    redis.call('HDEL', GRAVES, id)
    redis.call('SREM', QUARANTINED, id)
    redis.call('ZADD', PURGED, now, id)
    redis.call('HINCRBY', COUNTERS, 'purged', 1)
    pass_on(key, id)
    gone = gone + 1
  end
end
return gone
