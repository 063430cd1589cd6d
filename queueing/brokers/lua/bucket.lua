-- A leaky bucket in one number: the instant, in microseconds, at which it will have run empty. It takes `per_s` a second
-- and holds `burst`. The key expires when the bucket is empty, so what nobody uses takes no room.
-- Read all buckets first, then ask and fill: a key of the wrong type raises while nothing is written yet.
local buckets = {}

local function bucket(key, per_s, burst)
  if not buckets[key] then
    buckets[key] = {key = key, drop = 1000000 / per_s, depth = burst * 1000000 / per_s,
      empty_at = tonumber(redis.call('GET', key) or '0') or 0}
  end
  return buckets[key]
end

-- A clock that jumped back would leave the bucket full for as long as it jumped: it is never fuller than full.
local function level(b, now) return math.min(math.max(b.empty_at - now, 0), b.depth) end

-- Milliseconds until it takes one more; 0: at once. (Less than one is rounding.)
local function wait_ms(b, now) return math.floor(math.max(0, level(b, now) + b.drop - b.depth) / 1000) end

local function fill(b, now)
  b.empty_at = now + level(b, now) + b.drop
  redis.call('SET', b.key, string.format('%.0f', b.empty_at), 'PX', math.ceil((b.empty_at - now) / 1000))
end
