-- Sums up what is shown of some circles, so that two read models can be compared.
--
-- KEYS: 1 to 3 the indexes by name, by capacity and by create time, then document
--       and history of each circle.
-- ARGV: the id of each circle.
-- Answers 'digests', then a text per circle.

local function members(id, document)
  local read, circle = pcall(cjson.decode, document)
  local capacity = read and type(circle) == 'table' and tonumber(circle.capacity)
  local version = capacity and tonumber(circle.version)
  if not version or type(circle.name) ~= 'string' then
    return '', ''
  end
  capacity, version = string.format('%05d', capacity), string.format('%010d', version)
  return circle.name .. '\0' .. id .. capacity .. version, capacity .. circle.name .. '\0' .. id .. version
end

local answer = {'digests'}
for n, id in ipairs(ARGV) do
  local document = redis.pcall('GET', KEYS[2 + n * 2])
  local shown = type(document) == 'string' and document or ''
  local name, capacity = members(id, shown)
  local parts = {
    shown,
    redis.call('ZSCORE', KEYS[1], name) or '',
    redis.call('ZSCORE', KEYS[2], capacity) or '',
    redis.call('ZSCORE', KEYS[3], capacity) or ''
  }
  local history = redis.pcall('LRANGE', KEYS[3 + n * 2], 0, -1)
  parts[5] = history.err or table.concat(history, '\n')
  answer[n + 1] = redis.sha1hex(table.concat(parts, '\n'))
end
return answer
