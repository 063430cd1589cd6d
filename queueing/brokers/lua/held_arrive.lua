#!lua
-- Take in what a group holds of keys that moved here. Doing it again changes nothing.
-- KEYS  1 counters  2 waiting  3 retry  4 dead  5 graves  6 heads  7 parked  8 arrived  9 quarantined
-- ARGV  1 round  then per message: id, what held_leave.lua wrote down of it, with its envelope changed to say where it is
-- returns  1, or 0 when the group reads here already, or was put back since
-- Each leaving arrives once: a message that came here and was purged may fail again where it was, after a reset, and come
-- again. A message that is known here already was produced twice, or came again after a reset; the copies merge. A head comes
-- before its followers, so a follower that finds none is the head.
local COUNTERS, WAITING, RETRY, DEAD, GRAVES, HEADS, PARKED, ARRIVED, QUARANTINED = unpack(KEYS)
local state = redis.call('HMGET', COUNTERS, 'open', 'round', 'parkings')
if state[1] or (state[2] or '0') ~= ARGV[1] then return 0 end
local parkings = tonumber(state[3] or '0')
for a = 2, #ARGV, 2 do
  local id, record = ARGV[a], cjson.decode(ARGV[a + 1])
  if redis.call('SADD', ARRIVED, record.leaving) == 1 then
    redis.call('HINCRBY', COUNTERS, 'moved', 1)
    if redis.call('HEXISTS', WAITING, id) == 1 or redis.call('HEXISTS', GRAVES, id) == 1 then
      redis.call('HINCRBY', COUNTERS, 'done', 1)
    else
      if record.set == 'dead' then
        redis.call('HSET', GRAVES, id, record.envelope)
        redis.call('ZADD', DEAD, record.score, id)
        if record.quarantined then redis.call('SADD', QUARANTINED, id) end
      else
        redis.call('HSET', WAITING, id, record.envelope, id .. ':n', record.begun or 0)
        if record.sequence then
          redis.call('HSET', WAITING, id .. ':s', record.sequence)
          parkings = math.max(parkings, tonumber(record.sequence))
        end
        if record.set == 'parked' and redis.call('HEXISTS', HEADS, record.key) == 0 then
          record.set, record.head = 'retry', true
        end
        if record.set == 'retry' then
          redis.call('ZADD', RETRY, record.score, id)
        else
          redis.call('ZADD', PARKED, 0, #record.key .. ':' .. record.key .. ':' .. record.sequence .. ':' .. id)
        end
      end
      if record.head then redis.call('HSETNX', HEADS, record.key, id) end
    end
  end
end
redis.call('HSET', COUNTERS, 'parkings', string.format('%.0f', parkings))
return 1
