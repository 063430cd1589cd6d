#!lua
-- Write down what one web process counted in one second, and what the gateway has counted. Told twice, it counts once.
-- KEYS  1 minute  2 totals  3 gateway
-- ARGV  1 second  2 process  3 record ('' nothing was counted)  4 seconds to keep
--       5 gateway ('' was not asked)  6 when it was asked, in milliseconds  7 requests  8 answered  9 fetched (-1 unknown)
--       10 questions this process has put to it since it wrote before: they are nobody's demand
--       then name and number of each count, to add to the totals
-- returns  1 when it was written now, else 0
local minute_key, totals_key, gateway_key = unpack(KEYS)
local field, gateway = ARGV[1] .. ':' .. ARGV[2], ARGV[5]
local at, own = tonumber(ARGV[6]), tonumber(ARGV[10])
redis.call('HLEN', totals_key)
local before = redis.call('HMGET', gateway_key, gateway .. ':at', gateway .. ':requests', gateway .. ':answered',
  gateway .. ':fetched')
if redis.call('HSETNX', minute_key, field, ARGV[3]) == 0 then return 0 end
redis.call('EXPIRE', minute_key, ARGV[4])
for a = 11, #ARGV, 2 do redis.call('HINCRBY', totals_key, ARGV[a], ARGV[a + 1]) end
if gateway == '' then return 1 end

local grown = {}
for n, name in ipairs({'requests', 'answered', 'fetched'}) do
  local now, was = tonumber(ARGV[6 + n]), tonumber(before[1 + n] or '-1')
  local ours = name == 'fetched' and 0 or own
  if now < 0 then
    grown[n] = 'unknown'
  else
    local growth
    if tonumber(before[1] or '0') >= at then growth = 0 - ours  -- somebody asked later, and has counted our questions
    elseif was < 0 then growth = 0  -- since when it counts nobody knows
    elseif now < was then growth = now - ours  -- it began anew
    else growth = now - was - ours end
    grown[n] = string.format('%.0f', growth)
    redis.call('HINCRBY', totals_key, 'gateway_' .. name, grown[n])
    if tonumber(before[1] or '0') < at then
      redis.call('HSET', gateway_key, gateway .. ':' .. name, string.format('%.0f', now))
    end
  end
end
if tonumber(before[1] or '0') < at then redis.call('HSET', gateway_key, gateway .. ':at', string.format('%.0f', at)) end
redis.call('HSET', minute_key, field .. ':gateway', table.concat(grown, ' '))
return 1
