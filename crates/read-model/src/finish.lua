-- Writes documents and indexes from the histories, of which a read model that is
-- built consists at first: some circles at a time, if the partition is still as
-- expected. What is written twice is the same.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 to 6 the indexes by name, by
--       capacity and by create time.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 cursor, 5 how many keys to look at, 6 what documents begin with.
-- Answers 'finished' and the next cursor, or 'superseded'.

local function is(key, expected)
  return (redis.call('GET', key) or '') == expected
end
if not (is(KEYS[1], ARGV[1]) and is(KEYS[2], ARGV[2]) and is(KEYS[3], ARGV[3])) then
  return {'superseded'}
end

local function members(id, circle)
  local capacity, version = string.format('%05d', circle.capacity), string.format('%010d', circle.version)
  return circle.name .. '\0' .. id .. capacity .. version, capacity .. circle.name .. '\0' .. id .. version
end

-- The name in JSON, as it stands there. No text in JSON has a quote without a
-- backslash before it, so the first such end is the name's.
local function quoted_name(entry)
  local _, first = string.find(entry, '"name":', 1, true)
  return string.sub(entry, first + 1, string.find(entry, '","capacity":', first, true))
end

local found = redis.call('SCAN', ARGV[4], 'MATCH', ARGV[6] .. '*:history', 'COUNT', ARGV[5])
for _, history in ipairs(found[2]) do
  local key = string.sub(history, 1, -9)
  local id = string.sub(key, #ARGV[6] + 1)
  local entry = redis.call('LINDEX', history, -1)
  local last = cjson.decode(entry)
  local before = redis.call('GET', key)
  if before then
    local name, capacity = members(id, cjson.decode(before))
    redis.call('ZREM', KEYS[4], name)
    redis.call('ZREM', KEYS[5], capacity)
    redis.call('ZREM', KEYS[6], capacity)
  end
  if last.name then
    local first = cjson.decode(redis.call('LINDEX', history, 0))
    redis.call('SET', key, '{"id":"' .. id .. '","name":' .. quoted_name(entry) .. ',"capacity":'
      .. string.format('%d', last.capacity) .. ',"version":' .. string.format('%d', last.version) .. '}')
    local name, capacity = members(id, last)
    redis.call('ZADD', KEYS[4], '0', name)
    redis.call('ZADD', KEYS[5], '0', capacity)
    redis.call('ZADD', KEYS[6], string.format('%.0f', first.sequence), capacity)
  elseif before then
    redis.call('DEL', key)
  end
end
return {'finished', found[1]}
