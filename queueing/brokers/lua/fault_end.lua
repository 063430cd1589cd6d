#!lua flags=allow-oom
-- End a fault, unless it is another one by now.
-- KEYS  1 fault
-- ARGV  1 what the key says of the one that should end
-- returns  1 if it ended now, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
