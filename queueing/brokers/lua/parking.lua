-- Included after lease.lua and own.lua: keys that wait behind a failing head, and their followers.
-- A key is blocked while `heads` names its head: the message that failed, or the last of those handed out after it.
-- A follower is a member of `parked`: "<bytes of key>:<key>:<sequence, 16 digits>:<message id>", so that the followers
-- of one key stand together, in the order of the log.

local function place(key) return #key .. ':' .. key .. ':' end

-- followers: the first n of a key, as members of `parked`.
local function followers(key, n)
  local from = place(key)
  return redis.call('ZRANGEBYLEX', PARKED, '[' .. from, '(' .. from .. ':', 'LIMIT', 0, n)
end

local function id_of(member, key) return string.sub(member, #place(key) + 18) end

local function key_of(id) return cjson.decode(redis.call('HGET', WAITING, id)).key end

-- park: a message that has been parked before goes back to the place it had.
local function park(id, key)
  local sequence = redis.call('HGET', WAITING, id .. ':s')
  if not sequence then
    sequence = string.format('%016d', redis.call('HINCRBY', COUNTERS, 'parkings', 1))
    redis.call('HSET', WAITING, id .. ':s', sequence)
  end
  redis.call('ZADD', PARKED, 0, place(key) .. sequence .. ':' .. id)
end

local function wake(id) redis.call('ZADD', RETRY, string.format('%.0f', now_ms()), id) end

-- block: this message is the head of its key now, unless one that failed before it still is.
local function block(key, id)
  local head = redis.call('HGET', HEADS, key)
  if head and head ~= id and (redis.call('ZSCORE', RETRY, head) or redis.call('ZSCORE', DEAD, head)) then return end
  redis.call('HSET', HEADS, key, id)
end

-- pass_on: this message stands in nobody's way any more; if it was the head, the first follower is it now.
local function pass_on(key, id)
  if redis.call('HGET', HEADS, key) ~= id then return end
  local member = followers(key, 1)[1]
  if not member then
    redis.call('HDEL', HEADS, key)
    return
  end
  redis.call('ZREM', PARKED, member)
  redis.call('HSET', HEADS, key, id_of(member, key))
  wake(id_of(member, key))
end
