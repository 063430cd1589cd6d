#!lua flags=allow-oom
-- Forget a group in one partition: what it has read, what it holds, and its dead letters. It holds up no trim any more.
-- KEYS  1 log  then everything of the group
-- ARGV  1 group
-- returns  1, or 0 when it never began here
local known = 0
if redis.call('EXISTS', KEYS[1]) == 1 then known = redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1]) end
-- Unlinked, not deleted: a hundred thousand dead letters are freed while others are served.
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return known
