#!lua flags=allow-oom
-- Let delayed messages be appended up to where those that move have moved; at the end, without such a bound.
-- KEYS  1 meta  2 later:leaving (of the partition that was split) or later:arrived (of the new one)
-- ARGV  1 splitting or arriving  2 its value  3 due, ms: those up to it have moved; inf: all have
-- returns  1, or 0 when that is over already
-- It never goes back: whoever was held up says something that is still true, and old.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] == 'inf' then
  if ARGV[1] == 'arriving' then
    redis.call('DEL', KEYS[2])
  elseif redis.call('EXISTS', KEYS[2]) == 1 then
    return 1
  end
  redis.call('HDEL', KEYS[1], ARGV[1], 'sorted')
elseif tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[1], 'sorted')) then
  redis.call('HSET', KEYS[1], 'sorted', ARGV[3])
end
return 1
