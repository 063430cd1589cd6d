#!lua flags=no-writes
-- Dead letters of a group in a partition in the order of their burial, from a mark on.
-- KEYS  1 dead  2 graves
-- ARGV  1 'up' (oldest first) or 'down'  2 the mark: buried at, ms ('': from the first on)  3 and message id
--       4 limit  5 most bytes
-- returns  per letter: id, buried at, envelope (JSON); at least one, if there is any, whatever its size
-- The mark is found by halving, so that a page costs the same however many were buried in one millisecond, and whether
-- or not the letter of the mark is still there.
local up, score, id = ARGV[1] == 'up', ARGV[2], ARGV[3]
local limit, most = tonumber(ARGV[4]), tonumber(ARGV[5])

-- compare: as Redis sorts members, byte by byte; Lua's own < follows a locale.
local function compare(a, b)
  for i = 1, math.min(#a, #b) do
    local difference = string.byte(a, i) - string.byte(b, i)
    if difference ~= 0 then return difference end
  end
  return #a - #b
end

-- passed: how many come before the mark, in ascending order; going up, the letter of the mark itself is one of them.
local function passed()
  local low = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', KEYS[1], score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local order = compare(redis.call('ZRANGE', KEYS[1], middle, middle)[1], id)
    if order < 0 or (up and order == 0) then low = middle + 1 else high = middle end
  end
  return low
end

local start = 0
if score ~= '' then start = up and passed() or redis.call('ZCARD', KEYS[1]) - passed() end
local found = redis.call(up and 'ZRANGE' or 'ZREVRANGE', KEYS[1], start, start + limit - 1, 'WITHSCORES')
local reply, bytes = {}, 0
for i = 1, #found, 2 do
  bytes = bytes + redis.call('HSTRLEN', KEYS[2], found[i])
  if i > 1 and bytes > most then break end
  reply[#reply + 1] = {found[i], found[i + 1], redis.call('HGET', KEYS[2], found[i]) or ''}
end
return reply
