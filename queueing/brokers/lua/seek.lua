#!lua flags=allow-oom
-- Start a group in a partition, or move it: the next entry it reads is the first one after `position`.
-- KEYS  1 log  2 meta  3 counters  4 series of the group
-- ARGV  1 group  2 position: an offset, '0-0' for the beginning, '$' for the end  3 how many entries were ever appended
--       up to there (only looked at for an offset)  4 how many of them were trimmed when that was counted
--       5 'start' (a group that has begun stays where it is) or 'move'
-- returns  1 | 0 it has begun already | -1 something was trimmed since it was counted: count again
-- What it holds from beyond the position is taken out of its hands, as it comes again; what it holds from before stays.
--!include series.lua
local group, position, below = ARGV[1], ARGV[2], tonumber(ARGV[3])
local counted = redis.call('HMGET', KEYS[2], 'appended', 'trimmed')
local appended, trimmed = tonumber(counted[1] or '0'), tonumber(counted[2] or '0')
if position == '0-0' then
  below = trimmed
elseif position == '$' then
  below = appended
  local exists = redis.call('EXISTS', KEYS[1]) == 1
  local about = exists and redis.call('XINFO', 'STREAM', KEYS[1]) or {}
  position = '0-0'
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then position = about[i + 1] end
  end
elseif trimmed ~= tonumber(ARGV[4]) then
  return -1
end

note_group(KEYS[3], KEYS[4])
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, position, 'MKSTREAM')
if made.err then
  if not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
  if ARGV[5] == 'start' then return 0 end
  redis.call('XGROUP', 'SETID', KEYS[1], group, position)
end
repeat
  local held = redis.call('XPENDING', KEYS[1], group, '(' .. position, '+', 1000)
  for _, entry in ipairs(held) do redis.call('XACK', KEYS[1], group, entry[1]) end
until #held < 1000
local pending = redis.call('XPENDING', KEYS[1], group)[1]
-- appended = skipped + acked + pending + undelivered holds again, with acked as it was: `skipped` takes up the
-- difference, and is negative when entries come twice.
local acked = tonumber(redis.call('HGET', KEYS[3], 'acked') or '0')
redis.call('HSET', KEYS[3], 'skipped', string.format('%.0f', below - pending - acked), 'from', position)
return 1
