#!lua flags=allow-oom
-- Take delayed messages whose keys moved out of a partition that was split. They wait in `leaving` until they arrived.
-- KEYS  1 later  2 drafts  3 later:leaving
-- ARGV  message ids
-- returns  how many
local gone = 0
for _, id in ipairs(ARGV) do
  local due = redis.call('ZSCORE', KEYS[1], id)
  if due then
    local draft = redis.call('HMGET', KEYS[2], id, id .. ':b')
    redis.call('HSET', KEYS[3], id, draft[1], id .. ':b', draft[2], id .. ':d', string.format('%.0f', due))
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id, id .. ':b')
    gone = gone + 1
  end
end
return gone
