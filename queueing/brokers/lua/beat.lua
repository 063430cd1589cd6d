#!lua flags=allow-oom
-- Note what a consumer says of itself. (A consumer that cannot beat works off nothing: a full Redis would stay full.)
-- KEYS  1 a hash by consumer; one a call, as a group's hashes lie in different slots
-- ARGV  1 consumer  2 what it says; '': count one more
-- returns  1
if ARGV[2] == '' then
  redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return 1
