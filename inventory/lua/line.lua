-- Included by every script that looks at a sale's waiting room (inventory/room.py tells how it works).

-- place_of: where in the line a number stands. Those who came before the start are shuffled by the sale's seed: a
-- Feistel network of six rounds over the next power of four, walked until it falls below `before`. Every product stays
-- below 2^53, so Lua, JavaScript and Python compute the same.
local function place_of(number, before, seed)
  if number >= before then return number end
  local half = 1
  while 4 ^ half < before do half = half + 1 end
  local side, drop = 2 ^ half, 2 ^ (32 - half)
  repeat
    local left, right = math.floor(number / side), number % side
    for _, key in ipairs(seed) do
      left, right = right, (left + math.floor((right * 2654435761 + key * 40503) % 4294967296 / drop)) % side
    end
    number = left * side + right
  until number < before
  return number
end

local function seed_of(text)
  local seed = {}
  for key in string.gmatch(text or '', '%d+') do seed[#seed + 1] = tonumber(key) end
  return seed
end

-- line_at: the line as it is now, turns granted up to this moment. Writes only the room's own bookkeeping.
--   gate   fields of the gate as numbers or texts: room, turns_per_s, turn_s, starts_at_ms, seed, paused
--   keys   room (hash), claims (zset)
--   now    ms
--   returns  {mode, serving, lapsed, joined, before, seed}    before the start serving is 0
local RING = 128 -- seconds whose serving number is remembered; a turn is shorter
local function line_at(gate, room_key, claims_key, now)
  local rate, turn_s, starts = tonumber(gate.turns_per_s), tonumber(gate.turn_s), tonumber(gate.starts_at_ms)
  local line = {mode = gate.room, seed = seed_of(gate.seed)}
  local got = redis.call('HMGET', room_key, 'joined', 'before', 'served_m', 'at', 'lapsed', 'held')
  line.joined, line.before = tonumber(got[1] or '0'), tonumber(got[2] or '0')
  local served_m, at, lapsed = tonumber(got[3] or '0'), tonumber(got[4] or now), tonumber(got[5] or '0')
  line.serving, line.lapsed = math.floor(served_m / 1000), lapsed
  if now < starts then
    -- Moved to a later start: everybody who is there waits together again.
    if got[2] then
      local forgotten = {'before', 'served_m', 'at', 'lapsed', 'held'}
      for second = 0, RING - 1 do forgotten[#forgotten + 1] = 's' .. second end
      redis.call('HDEL', room_key, unpack(forgotten))
    end
    line.before, line.serving, line.lapsed = 0, 0, 0
    return line
  end
  if not got[2] then
    line.before, at = line.joined, math.max(starts, now - 1000)
    redis.call('HSET', room_key, 'before', line.before)
  end
  local held = tonumber(got[6] or '0')
  if line.mode ~= 'on' or gate.paused == '1' then
    -- The line stands still: nothing is granted, also not afterwards, and no turn runs out meanwhile.
    redis.call('HSET', room_key, 'at', string.format('%.0f', now), 'held', string.format('%.0f', held + math.max(0, now - at)))
    return line
  end
  -- No more than a second's turns are saved up for those who have not come yet.
  local most_m = (line.joined + rate) * 1000
  served_m = math.max(served_m, math.min(served_m + rate * math.max(0, now - at), most_m))
  -- What was granted a turn's length ago (a second more, as seconds are remembered) and not claimed is given on.
  local second = math.floor((now - held) / 1000)
  local remembered = {}
  for back = turn_s + 1, RING - 1 do remembered[#remembered + 1] = 's' .. (second - back) % RING end
  for i, said in ipairs(redis.call('HMGET', room_key, unpack(remembered))) do
    local of, value = string.match(said or '', '^(%d+):(%d+)$')
    if of and tonumber(of) == second - turn_s - i then
      value = tonumber(value)
      if value > lapsed then
        local claimed = redis.call('ZCOUNT', claims_key, lapsed, '(' .. value)
        served_m = math.max(served_m, math.min(served_m + (value - lapsed - claimed) * 1000, most_m))
        redis.call('ZREMRANGEBYSCORE', claims_key, '-inf', '(' .. value)
        lapsed = value
      end
      break
    end
  end
  line.serving, line.lapsed = math.floor(served_m / 1000), lapsed
  redis.call('HSET', room_key, 'served_m', string.format('%.0f', served_m), 'at', string.format('%.0f', now),
    'lapsed', string.format('%.0f', lapsed),
    's' .. second % RING, string.format('%.0f:%.0f', second, math.min(line.serving, line.joined)))
  return line
end

-- turn_of: what the line says to a user.
--   said     what `line` holds of the user: '<number>', 'c<number>' when the turn was claimed, or false
--   returns  'claimed' | 'turn', place | 'wait', turns ahead | 'lapsed' | 'not_in_line'
local function turn_of(line, said)
  if not said then return 'not_in_line', 0 end
  if string.sub(said, 1, 1) == 'c' then return 'claimed', 0 end
  local place = place_of(tonumber(said), line.before, line.seed)
  if place < line.lapsed then return 'lapsed', 0 end
  if place < line.serving then return 'turn', place end
  return 'wait', place - line.serving
end
