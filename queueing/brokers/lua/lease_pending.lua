#!lua flags=allow-oom
-- Take what earlier holders of a leased partition read and never settled.
-- KEYS  see lease.lua
-- ARGV  1 consumer  2 epoch  3 n  4 group  5 limit
-- returns  {entries: offset, fields, attempts begun so far; those of their keys that are blocked}, or nil when the
--          lease is lost
-- JUSTID keeps the delivery count: only begin_attempt counts.
--!include lease.lua
if not holds() then return false end
local entries = {}
for _, pending in ipairs(redis.call('XPENDING', LOG, ARGV[4], '-', '+', ARGV[5])) do
  redis.call('XCLAIM', LOG, ARGV[4], ARGV[1], 0, pending[1], 'JUSTID')
  local found = redis.call('XRANGE', LOG, pending[1], pending[1])
  entries[#entries + 1] = {pending[1], found[1] and found[1][2] or {}, pending[4]}
end
--!include blocked.lua
return {entries, blocked}
