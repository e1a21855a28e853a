-- Writes documents and indexes from the histories, of which a read model that is
-- built consists at first: some circles at a time, if the partition is still as
-- expected. What is written twice is the same.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 to 6 the indexes by name, by
--       capacity and by create time.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 cursor, 5 how many keys to look at, 6 what documents begin with.
-- Answers 'finished' and the next cursor, or 'superseded'.

if not is_as_expected() then
  return {'superseded'}
end

local function members(id, name, capacity, version)
  capacity, version = string.format('%05d', capacity), string.format('%010d', version)
  return name .. '\0' .. id .. capacity .. version, capacity .. name .. '\0' .. id .. version
end

-- What an entry of a history says, none of a deletion: name in JSON, name,
-- capacity, version. By searching, as that takes a third of decoding. No text in
-- JSON has a quote without a backslash before it, so the first such end is the
-- name's.
local function read(entry)
  local _, before = string.find(entry, '^{"version":%d+,"type":"[a-z_]+","name":')
  if not before then
    return nil
  end
  local last, after = string.find(entry, '","capacity":', before, true)
  local quoted = string.sub(entry, before + 1, last)
  local name = string.sub(quoted, 2, -2)
  if string.find(name, '\\', 1, true) then
    name = cjson.decode('[' .. quoted .. ']')[1]
  end
  return quoted, name, string.match(entry, '^%d+', after + 1), string.match(entry, '^{"version":(%d+)')
end

local found = redis.call('SCAN', ARGV[4], 'MATCH', ARGV[6] .. '*:history', 'COUNT', ARGV[5])
for _, history in ipairs(found[2]) do
  local key = string.sub(history, 1, -9)
  local id = string.sub(key, #ARGV[6] + 1)
  local before = redis.call('GET', key)
  if before then
    local circle = cjson.decode(before)
    local name, capacity = members(id, circle.name, circle.capacity, circle.version)
    redis.call('ZREM', KEYS[4], name)
    redis.call('ZREM', KEYS[5], capacity)
    redis.call('ZREM', KEYS[6], capacity)
  end
  local quoted, name, capacity, version = read(redis.call('LINDEX', history, -1))
  if quoted then
    -- That of the creation has nothing behind its sequence.
    local created = string.match(redis.call('LINDEX', history, 0), '"sequence":(%d+)}$')
    redis.call('SET', key, '{"id":"' .. id .. '","name":' .. quoted .. ',"capacity":' .. capacity
      .. ',"version":' .. version .. '}')
    local by_name, by_capacity = members(id, name, capacity, version)
    redis.call('ZADD', KEYS[4], '0', by_name)
    redis.call('ZADD', KEYS[5], '0', by_capacity)
    redis.call('ZADD', KEYS[6], created, by_capacity)
  elseif before then
    redis.call('DEL', key)
  end
end
return {'finished', found[1]}
