#!lua flags=allow-oom
-- Give a leased partition back.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n
-- returns  1, or 0 when it was not ours any more
--!include lease.lua
if not holds() then return 0 end
redis.call('HSET', LEASE, 'owner', '')
return 1
