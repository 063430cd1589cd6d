#!lua flags=allow-oom
-- Drop the oldest entries that are past retention and that no group needs any more.
-- KEYS  1 log  2 meta
-- ARGV  1 how long an entry is kept, ms ('': for ever)  2 how many of the newest are kept ('': all)  3 most to drop now
--       then the groups that must have begun: one that never read this partition still needs all of it
-- returns  how many were dropped
-- Never XTRIM by MAXLEN or age alone: that drops what nobody has read, and what is pending (research: protean does).
local begun = {}
local floor_ms, floor_n  -- the first entry that some group needs
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local about = {}
  for i = 1, #info, 2 do about[info[i]] = info[i + 1] end
  begun[about.name] = true
  local id, past = about['last-delivered-id'], 1
  if about.pending > 0 then id, past = redis.call('XPENDING', KEYS[1], about.name)[2], 0 end
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  ms, n = tonumber(ms), tonumber(n) + past
  if not floor_ms or ms < floor_ms or (ms == floor_ms and n < floor_n) then floor_ms, floor_n = ms, n end
end
for i = 4, #ARGV do
  if not begun[ARGV[i]] then return 0 end
end
if not floor_ms then return 0 end

local t = redis.call('TIME')
local oldest = ARGV[1] ~= '' and t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[1])
local surplus = ARGV[2] ~= '' and redis.call('XLEN', KEYS[1]) - tonumber(ARGV[2]) or 0
local function dropped(number, offset)
  local ms, n = string.match(offset, '^(%d+)-(%d+)$')
  ms, n = tonumber(ms), tonumber(n)
  if ms > floor_ms or (ms == floor_ms and n >= floor_n) then return nil end
  if number > surplus and not (oldest and ms < oldest) then return nil end
  return string.format('%.0f-%.0f', ms, n + 1)
end

local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first or not dropped(1, first[1]) then return 0 end  -- most often: nothing to do, and little read
local keep_from
for number, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])) do
  local next_offset = dropped(number, entry[1])
  if not next_offset then break end
  keep_from = next_offset
end
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '=', keep_from)
redis.call('HINCRBY', KEYS[2], 'trimmed', trimmed)
return trimmed
