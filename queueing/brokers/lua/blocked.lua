local blocked, asked = {}, {}
if redis.call('HLEN', HEADS) > 0 then
  for _, entry in ipairs(entries) do
    local key, fields = '', entry[2] or {}
    for i = 1, #fields, 2 do
      if fields[i] == 'k' then key = fields[i + 1] end
    end
    if not asked[key] and redis.call('HEXISTS', HEADS, key) == 1 then blocked[#blocked + 1] = key end
    asked[key] = true
  end
end
