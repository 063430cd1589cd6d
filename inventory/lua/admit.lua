#!lua
-- Decide on purchases of one sale: idempotency key, rates, gate, window, pause, turn, per-user limit, stock, queue; then deduct and append.
-- A script is isolated but not transactional: everything that can fail is checked before the first write.
-- KEYS  1 gate  2 buyers  3 answers  4 log  5 meta  6 counters of the gate group  7 line  8 room  9 claims
--       10 series of the log  11 series of the gate group
-- ARGV  1 sale id  2 wire name  3 version  4 attempts a second of one user, 0 for any number  5 at once  6 and 7 of one address
--       then per member: user id, idempotency key, quantity, order id, message id, client's address ('' if nobody knows),
--         headers of its message as JSON ('' for none)
-- returns  per member  {'admitted', OrderPlaced body, place in the queue}    also when its key was admitted before
--                    | {'rate_limited', milliseconds to wait} | {'conflict'} | {'missing'} | {'closed'} | {'not_started'} | {'ended'}
--                    | {'paused'} | {'room_closed'} | {'not_in_line'} | {'turn_lapsed'} | {'wait', turns ahead}
--                    | {'over_limit', units left to this user} | {'sold_out', units left}
--                    | {'queue_full', lag, capacity, orders the gate group acknowledges a second}
--          a refusal has written nothing, but that this user and address tried; rate_limited not even that
--!include append.lua
--!include series.lua
--!include pace.lua
--!include line.lua
--!include bucket.lua
local gate_key, buyers_key, answers_key, log_key, meta_key, counters_key, line_key, room_key, claims_key,
  log_series_key, series_key = unpack(KEYS)
local sale, wire, version = ARGV[1], ARGV[2], ARGV[3]

local function whole(text, name)
  if not text or not string.find(text, '^%-?%d+$') then error('gate: ' .. name .. ' is not a whole number') end
  return tonumber(text)
end

-- A key of the wrong type raises here, where nothing is written yet. (HGET and HMGET below check the hashes.)
redis.call('XLEN', log_key)
local g = redis.call('HMGET', gate_key, 'stock', 'price_cents', 'starts_at_ms', 'ends_at_ms', 'per_user_limit', 'capacity',
  'epoch', 'seq', 'open', 'room', 'turns_per_s', 'turn_s', 'seed', 'paused', 'units')
local exists, price, epoch, open, paused = g[1], g[2], g[7], g[9] == '1', g[14] == '1'
local stock, starts, ends, limit, capacity, seq = 0, 0, 0, 0, 0, 0
if exists then
  stock, starts, ends = whole(g[1], 'stock'), whole(g[3], 'starts_at_ms'), whole(g[4], 'ends_at_ms')
  limit, capacity, seq = whole(g[5], 'per_user_limit'), whole(g[6], 'capacity'), whole(g[8], 'seq')
  whole(price, 'price_cents')
  whole(epoch, 'epoch')
end
local units_admitted = g[15] and whole(g[15], 'units') -- false: the gate was opened before it kept count
local meta = redis.call('HMGET', meta_key, 'appended', 'noted')
local appended, noted = whole(meta[1] or '0', 'appended'), meta[2]
local lag = lag_of(appended, counters_key)
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local pace  -- of the gate group, looked up for the first who finds the queue full
local line
if exists and open and not paused and g[10] and g[10] ~= 'off' and now >= starts and now < ends then
  redis.call('ZCARD', claims_key)
  redis.call('HLEN', line_key)
  line = line_at({room = g[10], turns_per_s = g[11], turn_s = g[12], starts_at_ms = starts, seed = g[13]}, room_key,
    claims_key, now)
end

-- Every bucket of this batch is read here, before anything is written.
local now_us = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local function rates_of(user, address)
  local found = {}
  if tonumber(ARGV[4]) > 0 then found[1] = bucket(gate_key .. ':rate:user:' .. user, ARGV[4], ARGV[5]) end
  if tonumber(ARGV[6]) > 0 and address ~= '' then
    found[#found + 1] = bucket(gate_key .. ':rate:address:' .. address, ARGV[6], ARGV[7])
  end
  return found
end
for a = 8, #ARGV, 7 do rates_of(ARGV[a], ARGV[a + 5]) end

local function decide(user, key, quantity, order, message, address, headers)
  local units = whole(quantity, 'quantity')
  local answer_field = user .. ':' .. key
  local said = redis.call('HGET', answers_key, answer_field)
  if said then
    local before = cjson.decode(said)
    if before.quantity ~= units then return {'conflict'} end
    -- A write that changes nothing: WAIT covers what its own connection wrote, and the order may be another one's.
    if exists then redis.call('HSET', gate_key, 'stock', string.format('%.0f', stock)) end
    -- What was appended before it and is not acknowledged, itself included.
    return {'admitted', said, math.max(0, before.seq - (seq - lag))}
  end
  local has = whole(redis.call('HGET', buyers_key, user) or '0', 'units of a buyer')
  local rates, longest = rates_of(user, address), 0
  for _, rate in ipairs(rates) do longest = math.max(longest, wait_ms(rate, now_us)) end
  if longest > 0 then return {'rate_limited', longest} end
  for _, rate in ipairs(rates) do fill(rate, now_us) end
  if not exists then return {'missing'} end
  if not open then return {'closed'} end
  if now < starts then return {'not_started'} end
  if now >= ends then return {'ended'} end
  if paused then return {'paused'} end
  local turn, place, number
  if line then
    number = redis.call('HGET', line_key, user)
    turn, place = turn_of(line, number)
    if turn ~= 'claimed' and line.mode == 'closed' then return {'room_closed'} end
    if turn == 'not_in_line' then return {'not_in_line'} end
    if turn == 'lapsed' then return {'turn_lapsed'} end
    if turn == 'wait' then return {'wait', place} end
  end
  if has + units > limit then return {'over_limit', math.max(0, limit - has)} end
  if units > stock then return {'sold_out', stock} end
  if capacity > 0 and lag + 1 > capacity then
    pace = pace or acked_a_second(counters_key, series_key)
    return {'queue_full', lag, capacity, pace}
  end

  if noted ~= clock[1] then  -- once a second, and not by a look-up in each admission
    note_log(meta_key, log_series_key)
    noted = clock[1]
  end
  seq, lag, stock = seq + 1, lag + 1, stock - units
  local at = string.format('%.0f', now)
  -- Money stays the text it came as: Lua's numbers are floats.
  local body = '{"order_id":"' .. order .. '","sale_id":' .. sale .. ',"user_id":' .. user .. ',"idempotency_key":' ..
    cjson.encode(key) .. ',"quantity":' .. quantity .. ',"price_cents":' .. price .. ',"seq":' ..
    string.format('%.0f', seq) .. ',"epoch":' .. epoch .. ',"placed_at_ms":' .. at .. '}'
  append(log_key, meta_key, message, wire, version, sale, at, body, headers)
  local left, counted = string.format('%.0f', stock), string.format('%.0f', seq)
  if units_admitted then
    units_admitted = units_admitted + units
    redis.call('HSET', gate_key, 'stock', left, 'seq', counted, 'units', string.format('%.0f', units_admitted))
  else
    redis.call('HSET', gate_key, 'stock', left, 'seq', counted)
  end
  redis.call('HINCRBY', buyers_key, user, quantity)
  redis.call('HSET', answers_key, answer_field, body)
  if turn == 'turn' then
    redis.call('HSET', line_key, user, 'c' .. number)
    redis.call('ZADD', claims_key, place, user)
  end
  return {'admitted', body, lag}
end

local replies = {}
for a = 8, #ARGV, 7 do
  replies[#replies + 1] = decide(ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6])
end
return replies
