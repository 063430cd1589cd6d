-- Included by every script of the ordered mode. All of them get the same keys:
-- KEYS  1 log  2 counters  3 holders  4 waiting  5 retry  6 dead  7 graves  8 lease  9 heads  10 parked
--       11 series  12 quarantined
-- and begin with the same arguments:
-- ARGV  1 consumer  2 epoch  3 n  (the token that its lease was given)
local LOG, COUNTERS, HOLDERS, WAITING, RETRY, DEAD, GRAVES, LEASE, HEADS, PARKED, SERIES, QUARANTINED =
  unpack(KEYS)

-- holds: is the partition leased to this consumer, by this very token? Whoever was taken for dead finds it is not.
local function holds()
  local found = redis.call('HMGET', LEASE, 'owner', 'epoch', 'n')
  return found[1] == ARGV[1] and found[2] == ARGV[2] and found[3] == ARGV[3]
end

-- known: does the group hold this message outside the log already? Then it was produced twice and the copies merge.
local function known(id)
  return redis.call('HEXISTS', WAITING, id) == 1 or redis.call('ZSCORE', DEAD, id)
end
