-- Included by every script that counts. A series tells, for each second of the last hour in which something was counted,
-- where the counters stood when that second began to count: what was counted in it is the difference to the next record,
-- or to the counters as they are now. So a series can't disagree with its counters, and a script that runs ten thousand
-- times a second writes one record a second. It is a string, a ring of 3,600 records of numbers, 12 digits each:
--   of a log    second, appended
--   of a group  second, acked, skipped, retried, buried
-- A record of another second than the one asked for is an hour old, or of a clock that has jumped back since.
-- `noted`, beside the counters, is the second of the last record. The key expires to give memory back, nothing else.
local RING_S, WIDTH = 3600, 12

local function note(hash, series, second, ...)
  local record = string.format('%012d', second)
  for _, number in ipairs({...}) do record = record .. string.format('%012d', number or '0') end
  redis.call('SETRANGE', series, second % RING_S * #record, record)
  redis.call('EXPIRE', series, 2 * RING_S)
  redis.call('HSET', hash, 'noted', second)
end

-- note_log: before the first append of a script. The first write, so that a key of the wrong type leaves nothing half done.
local function note_log(meta, series)
  local second, stood = redis.call('TIME')[1], redis.call('HMGET', meta, 'noted', 'appended')
  if stood[1] ~= second then note(meta, series, second, stood[2]) end
end

-- note_group: before a script changes the group's counters.
local function note_group(counters, series)
  local second = redis.call('TIME')[1]
  local stood = redis.call('HMGET', counters, 'noted', 'acked', 'skipped', 'retried', 'buried')
  if stood[1] ~= second then note(counters, series, second, unpack(stood, 2)) end
end

-- acked_a_second: how fast the group acknowledged during the last ten seconds, from the first of them in which it did.
--   returns it as text, as a script's numbers are cut to whole ones
local function acked_a_second(counters, series)
  local time, size = redis.call('TIME'), 5 * WIDTH
  local now = time[1] + time[2] / 1000000
  local stood = redis.call('HMGET', counters, 'noted', 'acked')
  if tonumber(stood[1] or '0') < time[1] - 9 then return '0' end
  for second = time[1] - 9, time[1] do
    local at = second % RING_S * size
    local record = redis.call('GETRANGE', series, at, at + size - 1)
    if tonumber(string.sub(record, 1, WIDTH)) == second then
      local acked = tonumber(stood[2] or '0') - tonumber(string.sub(record, WIDTH + 1, 2 * WIDTH))
      return string.format('%.3f', math.max(0, acked) / math.max(1, now - second))
    end
  end
  return '0'
end
