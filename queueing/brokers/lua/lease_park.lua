#!lua flags=allow-oom
-- Park followers behind the heads of their keys, in this order, by the lease's token.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  then per message: source, offset, message id, key, envelope and history
--       (JSON), attempts begun so far
-- returns  how many were ours, or -1 when the lease is lost
--!include lease.lua
--!include own.lua
--!include parking.lua
--!include series.lua
if not holds() then return -1 end
note_group(COUNTERS, SERIES)
local ours = 0
for i = 5, #ARGV, 6 do
  local source, offset, id, key = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if owns(LOG, HOLDERS, ARGV[4], ARGV[1], source, offset, id) then
    release(LOG, COUNTERS, HOLDERS, ARGV[4], source, offset, id)
    ours = ours + 1
    if source == 'log' and known(id) then
      redis.call('HINCRBY', COUNTERS, 'done', 1)
    else
      redis.call('HSET', WAITING, id, ARGV[i + 4], id .. ':n', ARGV[i + 5])
      if redis.call('HEXISTS', HEADS, key) == 1 then
        park(id, key)
      else  -- nobody is before it, so nobody would ever release it
        block(key, id)
        wake(id)
      end
    end
  end
end
return ours
