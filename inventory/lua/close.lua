#!lua flags=allow-oom
-- Close a gate that has counted less far than somebody was told: nobody is admitted until it is rebuilt.
-- KEYS  1 gate
-- ARGV  1 epoch  2 seq: an admission that is known, or the epoch that is about to begin and 0
-- returns  1 it is closed | 0 it has counted so far, or there is no gate
local g = redis.call('HMGET', KEYS[1], 'stock', 'epoch', 'seq')
if not g[1] then return 0 end
local epoch, seq = tonumber(g[2]), tonumber(g[3])
if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and seq >= tonumber(ARGV[2])) then return 0 end
redis.call('HSET', KEYS[1], 'open', '0')
return 1
