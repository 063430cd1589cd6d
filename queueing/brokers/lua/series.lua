-- Included by every script that counts. A series tells, for each second of the last hour in which something was counted,
-- where the counters stood when that second began to count: what was counted in it is the difference to the next record,
-- or to the counters as they are now. So a series can't disagree with its counters, and a script that runs ten thousand
-- times a second writes one record a second. It is a string, a ring of 3,600 records of numbers, 12 digits each:
--   of a log    second, appended
--   of a group  second, acked, skipped, retried, buried
-- A record of another second than the one asked for is an hour old, or of a clock that has jumped back since.
-- `noted`, beside the counters, is the second of the last record. The key expires to give memory back, nothing else.
local RING_S = 3600

local function note(hash, series, second, ...)
  local record = string.format('%012d', second)
  for _, number in ipairs(redis.call('HMGET', hash, ...)) do record = record .. string.format('%012d', number or '0') end
  redis.call('SETRANGE', series, second % RING_S * #record, record)
  redis.call('EXPIRE', series, 2 * RING_S)
  redis.call('HSET', hash, 'noted', second)
end

-- note_log: before the first append of a script. The first write, so that a key of the wrong type leaves nothing half done.
local function note_log(meta, series, noted)
  local second = redis.call('TIME')[1]
  if (noted or redis.call('HGET', meta, 'noted')) ~= second then note(meta, series, second, 'appended') end
end

-- note_group: before a script changes the group's counters.
local function note_group(counters, series)
  local second = redis.call('TIME')[1]
  if redis.call('HGET', counters, 'noted') == second then return end
  note(counters, series, second, 'acked', 'skipped', 'retried', 'buried')
end
