#!lua
-- Append messages to one partition, or none of them.
-- KEYS  1 log  2 meta  3 series of the log  4 counters of the gate group  5 series of the gate group
-- ARGV  1 capacity (0: no limit)  2 number of messages  3 generation that the producer believes the partition to be of
--       then per message: id, name, version, key, at_ms, body, headers
-- returns  {'ok' or 'began': nothing was ever appended here, offset…} | {'full', lag, what the gate group acknowledges a second} | {'moved', generation}
--!include append.lua
--!include series.lua
--!include pace.lua
local meta = redis.call('HMGET', KEYS[2], 'generation', 'noted', 'appended')  -- one look: most scripts append one message
local generation = meta[1] or '0'
if generation ~= ARGV[3] then return {'moved', generation} end
local capacity, n = tonumber(ARGV[1]), tonumber(ARGV[2])
if capacity > 0 then
  local lag = lag_of(meta[3], KEYS[4])
  if lag + n > capacity then return {'full', lag, acked_a_second(KEYS[4], KEYS[5])} end
end
note_log(KEYS[2], KEYS[3], meta[2])
local reply = {meta[3] and 'ok' or 'began'}
for i = 0, n - 1 do
  local a = 4 + i * 7
  reply[i + 2] = append(KEYS[1], KEYS[2], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5],
    ARGV[a + 6])
end
return reply
