-- sealed: is this letter dead, and is it the burial that was seen?
local function sealed(dead, graves, id, seal)
  return redis.call('ZSCORE', dead, id) and redis.sha1hex(redis.call('HGET', graves, id) or '') == seal
end
