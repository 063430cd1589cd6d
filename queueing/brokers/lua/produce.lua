#!lua
-- Append messages to one partition, or none of them.
-- KEYS  1 log  2 meta  3 counters of the gate group
-- ARGV  1 capacity (0: no limit)  2 number of messages  then per message: id, name, version, key, at_ms, body, headers
-- returns  {'ok', offset…} | {'full', lag}
--!include append.lua
local capacity, n = tonumber(ARGV[1]), tonumber(ARGV[2])
if capacity > 0 then
  local lag = lag_of(KEYS[2], KEYS[3])
  if lag + n > capacity then return {'full', lag} end
end
local reply = {'ok'}
for i = 0, n - 1 do
  local a = 3 + i * 7
  reply[i + 2] = append(KEYS[1], KEYS[2], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5],
    ARGV[a + 6])
end
return reply
