#!lua flags=allow-oom
-- Take what a group holds of keys that moved out of a partition that was split, once it has settled all that came before
-- the split. It waits in `leaving` until it arrived. A key of which something is in hand stays, and so does what waits
-- behind it.
-- KEYS  1 log  2 counters  3 holders  4 waiting  5 retry  6 dead  7 graves  8 heads  9 parked  10 leaving
--       11 quarantined
-- ARGV  1 group  2 switch: the last offset before the split  then per key: key, number of message ids, the ids
-- returns  {replays so far, number of those leaving, number of keys that stay}, or nil when there is more to settle
local LOG, COUNTERS, HOLDERS, WAITING, RETRY, DEAD, GRAVES, HEADS, PARKED, LEAVING,
  QUARANTINED = unpack(KEYS)
local group, switch = ARGV[1], ARGV[2]

local function settled()
  if redis.call('EXISTS', LOG) == 0 then return switch == '0-0' end
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', LOG)) do
    local about = {}
    for i = 1, #info, 2 do about[info[i]] = info[i + 1] end
    if about.name == group then
      if #redis.call('XPENDING', LOG, group, '-', switch, 1) > 0 then return false end
      local function parts(offset)
        local ms, n = string.match(offset, '^(%d+)-(%d+)$')
        return tonumber(ms), tonumber(n)
      end
      local ms, n = parts(about['last-delivered-id'])
      local switch_ms, switch_n = parts(switch)
      if ms > switch_ms or (ms == switch_ms and n >= switch_n) then return true end
      return #redis.call('XRANGE', LOG, '(' .. about['last-delivered-id'], switch, 'COUNT', 1) == 0
    end
  end
  return false
end

local function take(id, key)
  local record = {key = key, head = redis.call('HGET', HEADS, key) == id}
  local buried = redis.call('ZSCORE', DEAD, id)
  if buried then
    record.set, record.score, record.envelope = 'dead', string.format('%.0f', buried), redis.call('HGET', GRAVES, id)
    redis.call('ZREM', DEAD, id)
    redis.call('HDEL', GRAVES, id)
    record.quarantined = redis.call('SREM', QUARANTINED, id) == 1
  else
    local due = redis.call('ZSCORE', RETRY, id)
    local kept = redis.call('HMGET', WAITING, id, id .. ':n', id .. ':s')
    if not kept[1] then return end
    record.envelope, record.begun, record.sequence = kept[1], kept[2] or nil, kept[3] or nil
    record.set = (due or not kept[3]) and 'retry' or 'parked'
    record.score = due and string.format('%.0f', due) or '0'
    redis.call('ZREM', RETRY, id)
    if kept[3] then redis.call('ZREM', PARKED, #key .. ':' .. key .. ':' .. kept[3] .. ':' .. id) end
    redis.call('HDEL', WAITING, id, id .. ':n', id .. ':s')
  end
  record.leaving = redis.call('HINCRBY', COUNTERS, 'leavings', 1)
  redis.call('HSET', LEAVING, id, cjson.encode(record))
end

if not settled() then return false end
local at, stay = 3, 0
while ARGV[at] do
  local key, n, in_hand = ARGV[at], tonumber(ARGV[at + 1]), false
  for i = at + 2, at + 1 + n do in_hand = in_hand or redis.call('HEXISTS', HOLDERS, ARGV[i]) == 1 end
  if in_hand then
    stay = stay + 1
  else
    for i = at + 2, at + 1 + n do take(ARGV[i], key) end
    redis.call('HDEL', HEADS, key)
  end
  at = at + 2 + n
end
return {tonumber(redis.call('HGET', COUNTERS, 'replays') or '0'), redis.call('HLEN', LEAVING), stay}
