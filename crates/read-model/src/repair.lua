-- Replaces all that a partition has of some circles by what the log says of
-- them up to the checkpoint, if the partition is still as expected.
--
-- KEYS: as for apply.lua.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 the sequence that they hold, 5 channel and 6 message, 7 `repair`, or
--       `compare` to write nothing, 8 how many circles there are.
--       Then per circle: its id; its document; its score by create time; its
--       members by name and by capacity; its version, empty where the log does
--       not know it; the event that parks it; how long its history is, and that.
-- Answers 'repaired', the new revision, and the numbers of the circles of which
-- anything was not as it should be; or 'superseded', and then nothing is written.

local FIRST_CIRCLE = 11

if not is_as_expected() then
  return {'superseded'}
end
for index = 4, 6 do
  redis.call('ZCARD', KEYS[index])
end
redis.call('XLEN', KEYS[7])
redis.call('HLEN', KEYS[9])

local function same(key, from, count)
  if redis.call('TYPE', key).ok ~= 'list' then
    return count == 0 and redis.call('EXISTS', key) == 0
  end
  if redis.call('LLEN', key) ~= count then
    return false
  end
  for first = 0, count - 1, 1000 do
    local found = redis.call('LRANGE', key, first, math.min(first + 999, count - 1))
    for n = 1, #found do
      if found[n] ~= ARGV[from + first + n - 1] then
        return false
      end
    end
  end
  return true
end

-- The id of the next correction; the stream may not exist.
local function next_correction()
  local info = redis.pcall('XINFO', 'STREAM', KEYS[7])
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' then
      local sequence, correction = string.match(info[n + 1], '^(%d+)-(%d+)$')
      if sequence == ARGV[4] then
        return ARGV[4] .. '-' .. string.format('%.0f', tonumber(correction) + 1)
      end
    end
  end
  return ARGV[4] .. '-1'
end

local function correct(id, version, document)
  local function add()
    return redis.pcall('XADD', KEYS[7], next_correction(), 'type', 'corrected', 'circle_id', id,
      'version', version, 'event_id', '', 'document', document)
  end
  local added = add()
  if type(added) == 'table' and added.err then
    -- Whatever else can fail has failed at an earlier write. As in apply.lua. Whoever watches from before this lists again.
    redis.call('DEL', KEYS[7])
    redis.call('SET', KEYS[8], ARGV[4])
    add()
  end
end

local answer = {'repaired', redis.call('GET', KEYS[3]) or '0'}
local writes = ARGV[7] == 'repair'
local at = 9
for circle = 0, tonumber(ARGV[8]) - 1 do
  local document_key, history_key = KEYS[FIRST_CIRCLE + circle * 2], KEYS[FIRST_CIRCLE + circle * 2 + 1]
  local id, document, score = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local name, capacity, version, parked = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local length, from = tonumber(ARGV[at + 7]), at + 8
  at = from + length

  local kind = redis.call('TYPE', document_key).ok
  local found = kind == 'string' and redis.call('GET', document_key) or ''
  local shown = kind ~= 'none' and found ~= document or (kind == 'none' and document ~= '')
  local changed = shown or not same(history_key, from, length)
  if document ~= '' and not changed then
    changed = not redis.call('ZSCORE', KEYS[4], name) or not redis.call('ZSCORE', KEYS[5], capacity)
      or redis.call('ZSCORE', KEYS[6], capacity) ~= score
  end
  if not changed then
    changed = (redis.call('HGET', KEYS[9], id) or '') ~= parked
  end

  if changed then
    answer[#answer + 1] = tostring(circle)
  end
  if changed and writes then
    local old_name, old_capacity = members(found)
    if old_name then
      redis.call('ZREM', KEYS[4], old_name)
      redis.call('ZREM', KEYS[5], old_capacity)
      redis.call('ZREM', KEYS[6], old_capacity)
    end
    redis.call('DEL', document_key, history_key)
    if document ~= '' then
      redis.call('SET', document_key, document)
      redis.call('ZADD', KEYS[4], '0', name)
      redis.call('ZADD', KEYS[5], '0', capacity)
      redis.call('ZADD', KEYS[6], score, capacity)
    end
    for n = from, from + length - 1 do
      redis.call('RPUSH', history_key, ARGV[n])
    end
    if parked == '' then
      redis.call('HDEL', KEYS[9], id)
    else
      redis.call('HSET', KEYS[9], id, parked)
    end
    if shown then
      correct(id, version, document)
    end
  end
end
if #answer == 2 or not writes then
  return answer
end
local count = redis.call('HLEN', KEYS[9])
if count == 0 then
  redis.call('DEL', KEYS[10])
else
  redis.call('SET', KEYS[10], count)
end
answer[2] = tostring(redis.call('INCR', KEYS[3]))
if ARGV[5] ~= '' then
  redis.pcall('PUBLISH', ARGV[5], ARGV[6])
end
return answer
