#!lua
-- Take a place in a sale's line, keep the one held, give it up, or only look.
-- KEYS  1 gate  2 line  3 room  4 claims
-- ARGV  1 'join' | 'leave' | 'look'  2 user id
--       3 and 4, for the first two: how many questions a second of one user, 0 for any number, and how many at once
--       5 and 6 of one address  7 client's address ('' if nobody knows)
-- returns  {word, number}    number: -1 for none
--          word: 'joined' (also when the user stood there already) | 'claimed' | 'left' | 'not_in_line'
--              | 'turn_lapsed' (to who only looks)
--              | 'rate_limited' (number: milliseconds to wait; nothing was written)
--              | 'no_room' (none is on, nobody needs a place) | 'room_closed' | 'ended' | 'missing'
--!include line.lua
--!include bucket.lua
local user = ARGV[2]
local names = {'room', 'turns_per_s', 'turn_s', 'starts_at_ms', 'ends_at_ms', 'seed', 'paused', 'stock'}
local gate = {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do gate[names[i]] = value end
redis.call('ZCARD', KEYS[4]) -- a key of the wrong type raises here, where nothing is written yet
local said = redis.call('HGET', KEYS[2], user)
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if ARGV[1] ~= 'look' then
  local now_us, rates, longest = tonumber(clock[1]) * 1000000 + tonumber(clock[2]), {}, 0
  local function count(per_s, burst, of, who)
    if tonumber(per_s or '0') > 0 and who ~= '' then
      rates[#rates + 1] = bucket(KEYS[1] .. ':rate:asked:' .. of .. ':' .. who, per_s, burst)
    end
  end
  count(ARGV[3], ARGV[4], 'user', user)
  count(ARGV[5], ARGV[6], 'address', ARGV[7])
  for _, rate in ipairs(rates) do longest = math.max(longest, wait_ms(rate, now_us)) end
  if longest > 0 then return {'rate_limited', longest} end
  for _, rate in ipairs(rates) do fill(rate, now_us) end
end
if not gate.stock then return {'missing', -1} end
if not gate.room or gate.room == 'off' then return {'no_room', -1} end
if now >= tonumber(gate.ends_at_ms) then return {'ended', -1} end
local line = line_at(gate, KEYS[3], KEYS[4], now)
local word, number = turn_of(line, said), tonumber(said and string.match(said, '%d+') or '-1')

if ARGV[1] == 'leave' then
  if word == 'not_in_line' or word == 'claimed' then return {word, number} end
  redis.call('HDEL', KEYS[2], user)
  return {'left', number} -- the turn lapses when it comes, and is given on then
end
if ARGV[1] == 'look' then
  if word == 'turn' or word == 'wait' then word = 'joined' end
  return {word == 'lapsed' and 'turn_lapsed' or word, number}
end
if word == 'claimed' then return {'claimed', number} end
if word == 'turn' or word == 'wait' then return {'joined', number} end
if line.mode == 'closed' then return {'room_closed', number} end
number = line.joined
redis.call('HSET', KEYS[3], 'joined', number + 1)
redis.call('HSET', KEYS[2], user, string.format('%.0f', number))
return {'joined', number}
