-- Reads from the history of a circle.
--
-- KEYS: 1 checkpoint, 2 parked, 3 history.
-- ARGV: 1 the circle, 2 what is asked for:
--       `ascending`: 3 the version behind which it begins, 4 how many entries;
--       `descending`: 3 the version before which it begins, 0 for the end, 4 how
--       many entries;
--       `version`: 3 the version;
--       `time`: 3 the time, written as the entries have it: the last entry whose
--       time is not later.
-- Answers 'past', the checkpoint, the event that parks the circle, the length of
-- the history, the version of the first entry of the answer, and the entries.

-- None where the entry can't be read.
local function time_at(version)
  local read, entry = pcall(cjson.decode, redis.call('LINDEX', KEYS[3], version - 1))
  local time = read and type(entry) == 'table' and (entry.effective_at or entry.occurred_at)
  return type(time) == 'string' and time
end

local length = redis.call('LLEN', KEYS[3])
local first, last = 1, 0

if ARGV[2] == 'ascending' then
  first = tonumber(ARGV[3]) + 1
  last = first + tonumber(ARGV[4]) - 1
elseif ARGV[2] == 'descending' then
  local before = tonumber(ARGV[3])
  last = before == 0 and length or math.min(before - 1, length)
  first = math.max(last - tonumber(ARGV[4]) + 1, 1)
elseif ARGV[2] == 'version' then
  first = tonumber(ARGV[3])
  last = first
else
  -- Times never fall from version to version. All are of one form and length,
  -- so that they compare as texts, in every locale.
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    local time = time_at(middle)
    if not time then
      -- The answer is the damaged entry, so that its reader names it.
      low, high = middle, middle
    elseif time <= ARGV[3] then
      low = middle
    else
      high = middle - 1
    end
  end
  first, last = low, low
end

local answer = {
  'past', redis.call('GET', KEYS[1]), redis.call('HGET', KEYS[2], ARGV[1]), tostring(length), tostring(first)
}
if first >= 1 and last >= first then
  for _, entry in ipairs(redis.call('LRANGE', KEYS[3], first - 1, last - 1)) do
    answer[#answer + 1] = entry
  end
end
return answer
