#!lua flags=allow-oom
-- Append delayed messages that are due, in due order. (It moves and frees: a full Redis must not hold them up.)
-- KEYS  1 log  2 meta  3 later  4 drafts  5 series of the log
-- ARGV  1 limit
-- returns  how many
-- While the partition is split, only up to where it is known which keys stay (its meta's `sorted`).
--!include append.lua
--!include series.lua
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local sorted = redis.call('HGET', KEYS[2], 'sorted')
if sorted then now = math.min(now, tonumber(sorted)) end
local due = redis.call('ZRANGE', KEYS[3], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
if #due > 0 then note_log(KEYS[2], KEYS[5]) end
for i = 1, #due, 2 do
  local id = due[i]
  local draft = redis.call('HMGET', KEYS[4], id, id .. ':b')
  local name, version, key, at_ms, headers = unpack(cjson.decode(draft[1]))
  append(KEYS[1], KEYS[2], id, name, version, key, at_ms, draft[2], headers, string.format('%.0f', due[i + 1]))
  redis.call('ZREM', KEYS[3], id)
  redis.call('HDEL', KEYS[4], id, id .. ':b')
  redis.call('HINCRBY', KEYS[2], 'promoted', 1)
end
return #due / 2
