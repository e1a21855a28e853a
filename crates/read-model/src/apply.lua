-- Applies one batch of events to a partition, if that is still as expected.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 to 6 the indexes by name, by
--       capacity and by create time, 7 changes, 8 their floor, 9 parked,
--       10 their count, then document and history of each circle that changes.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 and 5 checkpoint and building as they shall be, 6 the sequence before
--       the first entry of changes, 7 channel and 8 message, 9 how many changes are kept,
--       10 the new floor or empty, 11 how many circles change, 12 how many
--       entries of changes there are, 13 how many circles are parked.
--       Then per circle: its version before (0 for none); how many entries of
--       history it gets, and these; its document; its score
--       by create time, empty where that stays; its members by name and by
--       capacity before; the same after. Empty: there is none.
--       Then per entry of changes: its id and the values of its fields.
--       Then per parked circle: its id and the event.
-- Answers 'applied', or 'superseded', or 'unfit' with the numbers of the
-- circles that are not as the batch takes them to be; then nothing is written.

if not is_as_expected() then
  return {'superseded'}
end

-- All that can fail comes before the first write: a script that fails later
-- leaves what it has written.
for index = 4, 6 do
  redis.call('ZCARD', KEYS[index])
end
redis.call('XLEN', KEYS[7])
redis.call('HLEN', KEYS[9])

local circles, entries, parked = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])

-- New circles have no history; whether all of them fit is one question.
local starts, new = {}, {}
local at = 14
for circle = 1, circles do
  starts[circle] = at
  if ARGV[at] == '0' then
    new[#new + 1] = KEYS[10 + circle * 2]
  end
  at = at + 8 + tonumber(ARGV[at + 1])
end
local found = 0
in_parts(new, function(...)
  found = found + redis.call('EXISTS', ...)
end)

local scores, unfit = {}, {'unfit'}
for circle = 1, circles do
  local from = starts[circle]
  local version, after_history = ARGV[from], from + 2 + tonumber(ARGV[from + 1])
  local fits = true
  if version ~= '0' or found > 0 then
    fits = redis.pcall('LLEN', KEYS[10 + circle * 2]) == tonumber(version)
  end
  local score, before = ARGV[after_history + 1], ARGV[after_history + 3]
  if fits and before ~= '' then
    local present = redis.call('ZSCORE', KEYS[6], before)
    fits = present
    if score == '' then
      score = present
    end
  end
  scores[circle] = score
  if not fits then
    unfit[#unfit + 1] = tostring(circle - 1)
  end
end
if #unfit > 1 then
  return unfit
end

local function add(from)
  return redis.pcall('XADD', KEYS[7], ARGV[from], 'type', ARGV[from + 1], 'circle_id', ARGV[from + 2],
    'version', ARGV[from + 3], 'event_id', ARGV[from + 4], 'document', ARGV[from + 5])
end
for entry = 1, entries do
  local added = add(at)
  local failed = type(added) == 'table' and added.err
  if failed and not string.find(failed, 'equal or smaller', 1, true) then
    -- Such as a full memory; this is the first write.
    return added
  end
  if failed then
    -- The stream has these entries already, as a client that lost the answer sent
    -- them again, or later ones, which nobody writes: better no past than a wrong
    -- one.
    redis.call('DEL', KEYS[7])
    redis.call('SET', KEYS[8], ARGV[6])
    add(at)
  end
  at = at + 6
end
if ARGV[10] ~= '' and tonumber(ARGV[10]) > tonumber(redis.call('GET', KEYS[8]) or '0') then
  redis.call('SET', KEYS[8], ARGV[10])
end
local kept = tonumber(ARGV[9])
if entries > 0 and redis.call('XLEN', KEYS[7]) > kept + math.floor(kept / 16) then
  -- In two steps, to see the last entry that goes.
  redis.call('XTRIM', KEYS[7], 'MAXLEN', kept + 1)
  local last = redis.call('XRANGE', KEYS[7], '-', '+', 'COUNT', 1)[1]
  redis.call('XTRIM', KEYS[7], 'MAXLEN', kept)
  local sequence, correction = string.match(last[1], '^(%d+)-(%d+)$')
  if correction ~= '0' then
    -- Whoever was told of the event only has missed this correction.
    sequence = string.format('%.0f', tonumber(sequence) + 1)
  end
  redis.call('SET', KEYS[8], sequence)
end

local documents, removed = {}, {}
local no_names, no_capacities = {}, {}
local names, capacities, times = {}, {}, {}
for circle = 1, circles do
  local from = starts[circle]
  local document, history = KEYS[9 + circle * 2], KEYS[10 + circle * 2]
  local after_history = from + 2 + tonumber(ARGV[from + 1])
  for n = from + 2, after_history - 1 do
    redis.call('RPUSH', history, ARGV[n])
  end
  from = after_history
  if ARGV[from] == '' then
    removed[#removed + 1] = document
  else
    local n = #documents
    documents[n + 1], documents[n + 2] = document, ARGV[from]
  end
  if ARGV[from + 3] ~= '' then
    local n = #no_names + 1
    no_names[n], no_capacities[n] = ARGV[from + 2], ARGV[from + 3]
  end
  local name, capacity = ARGV[from + 4], ARGV[from + 5]
  if capacity ~= '' then
    local n = #names
    names[n + 1], names[n + 2] = '0', name
    capacities[n + 1], capacities[n + 2] = '0', capacity
    times[n + 1], times[n + 2] = scores[circle], capacity
  end
end
in_parts(removed, function(...) redis.call('DEL', ...) end)
in_parts(documents, function(...) redis.call('MSET', ...) end)
in_parts(no_names, function(...) redis.call('ZREM', KEYS[4], ...) end)
in_parts(no_capacities, function(...)
  redis.call('ZREM', KEYS[5], ...)
  redis.call('ZREM', KEYS[6], ...)
end)
in_parts(names, function(...) redis.call('ZADD', KEYS[4], ...) end)
in_parts(capacities, function(...) redis.call('ZADD', KEYS[5], ...) end)
in_parts(times, function(...) redis.call('ZADD', KEYS[6], ...) end)

for _ = 1, parked do
  redis.call('HSET', KEYS[9], ARGV[at], ARGV[at + 1])
  at = at + 2
end
if parked > 0 then
  redis.call('SET', KEYS[10], redis.call('HLEN', KEYS[9]))
end

local function put(key, value)
  if value == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, value)
  end
end
put(KEYS[1], ARGV[4])
if ARGV[2] ~= ARGV[5] then
  put(KEYS[2], ARGV[5])
end
if ARGV[7] ~= '' then
  -- A hint only: no permission for the channel must not fail what is written.
  redis.pcall('PUBLISH', ARGV[7], ARGV[8])
end
return {'applied'}
