#!lua flags=allow-oom
-- Read new entries of a leased partition.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  5 limit
-- returns  {entries, those of their keys that are blocked, offset of the log's last entry when nothing was new}, or
--          nil when the lease is lost
--!include lease.lua
if not holds() then return false end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[4], ARGV[1], 'COUNT', ARGV[5], 'STREAMS', LOG, '>')
if not found then
  local info = redis.call('XINFO', 'STREAM', LOG)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return {{}, {}, info[i + 1]} end
  end
end
local entries = found[1][2]
--!include blocked.lua
return {entries, blocked, ''}
