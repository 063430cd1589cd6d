-- Included by every script that refuses a producer: how soon may it come back?

-- acked_a_second: how fast a group acknowledged during the last ten seconds, from the first of them in which it did.
--   counters, series   the group's keys; lua/series.lua tells what a series is
--   returns            messages a second, as text: a script's numbers are cut to whole ones
local function acked_a_second(counters, series)
  local WIDTH, RING_S = 12, 3600
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
