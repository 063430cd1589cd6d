-- Included by every script that settles a delivery: only its owner may.

-- owns: is this entry (source 'log') or retried message (source 'retry') in this consumer's hands?
local function owns(log, holders, group, consumer, source, offset, id)
  if source == 'retry' then return redis.call('HGET', holders, id) == consumer end
  return #redis.call('XPENDING', log, group, offset, offset, 1, consumer) == 1
end

-- release: take it out of the consumer's hands. From the log it counts as acknowledged; a retried message was already.
local function release(log, counters, holders, group, source, offset, id)
  if source == 'retry' then
    redis.call('HDEL', holders, id)
  else
    redis.call('XACK', log, group, offset)
    redis.call('HINCRBY', counters, 'acked', 1)
  end
end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- set_aside: is this message of the group already waiting, in hand again, or dead? Then it was produced twice (a relay
-- that died before it deleted its row), and the copy merges into the one that is kept: one message, one fate.
local function set_aside(retry, holders, dead, id)
  return redis.call('ZSCORE', retry, id) or redis.call('HEXISTS', holders, id) == 1 or redis.call('ZSCORE', dead, id)
end
