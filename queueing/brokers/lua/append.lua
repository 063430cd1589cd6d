-- Included by every script that produces, so that an append is counted in the step that makes it.

-- append: one entry at the end of a partition's log.
--   log, meta   the partition's keys (queueing/keys.py)
--   id … body   strings; headers is JSON, '' for none; due is when a delayed message was to come, nil for others
--   returns     the entry's offset, "<ms>-<n>"
local function append(log, meta, id, name, version, key, at_ms, body, headers, due)
  local offset
  if due then
    offset = redis.call('XADD', log, '*', 'id', id, 'n', name, 'v', version, 'k', key, 'at', at_ms, 'b', body,
      'd', due, unpack(headers == '' and {} or {'h', headers}))
  elseif headers == '' then
    offset = redis.call('XADD', log, '*', 'id', id, 'n', name, 'v', version, 'k', key, 'at', at_ms, 'b', body)
  else
    offset = redis.call('XADD', log, '*', 'id', id, 'n', name, 'v', version, 'k', key, 'at', at_ms, 'b', body,
      'h', headers)
  end
  redis.call('HINCRBY', meta, 'appended', 1)
  return offset
end

-- lag_of: how many of `appended` entries a consumer group has not acknowledged, by the queue's own counters.
--   (XINFO's lag goes NULL or wrong after a trim or an XDEL.)
local function lag_of(appended, counters)
  local seen = redis.call('HMGET', counters, 'acked', 'skipped')
  return tonumber(appended or '0') - tonumber(seen[1] or '0') - tonumber(seen[2] or '0')
end
