-- Reads one page of a list, its documents, and the checkpoint.
--
-- KEYS: 1 checkpoint, 2 index.
-- ARGV: 1 BYLEX or BYSCORE, 2 REV or empty, 3 lower and 4 upper bound,
--       5 to 7 which field of a member is the name, the capacity and the id,
--       8 prefix of the name, 9 least and 10 most capacity,
--       11 circles in the page, 12 entries to look at, 13 prefix of documents.
-- Answers 'page', the checkpoint, the entry behind which the next page begins
-- (nothing after the last page), then id and document of each circle; or
-- 'corrupt' and a member that has not three fields.

-- What unpack takes is bounded; it is also how many entries are fetched.
local CHUNK = 500

local by, reverse, lower, upper = ARGV[1], ARGV[2] == 'REV', ARGV[3], ARGV[4]
local name_at, capacity_at, id_at = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local prefix, least, most = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local limit, budget = tonumber(ARGV[11]), tonumber(ARGV[12])
-- By score each entry comes as two: its member and its score.
local stride = by == 'BYSCORE' and 2 or 1

local function fetch(count)
  local command = {'ZRANGE', KEYS[2]}
  if reverse then
    command[3], command[4], command[5], command[6] = upper, lower, by, 'REV'
  else
    command[3], command[4], command[5] = lower, upper, by
  end
  command[#command + 1] = 'LIMIT'
  command[#command + 1] = 0
  command[#command + 1] = count
  if stride == 2 then
    command[#command + 1] = 'WITHSCORES'
  end
  return redis.call(unpack(command))
end

local function go_on_behind(entry)
  if reverse then
    upper = '(' .. entry
  else
    lower = '(' .. entry
  end
end

local ids = {}
-- The last entry looked at that is not behind the page, and whether there is
-- more behind it.
local last, more = false, false
local scanned = 0
local corrupt

local function walk(entries)
  for i = 1, #entries, stride do
    local member = entries[i]
    -- Plain searches, as a pattern would end at its first NUL.
    local first = string.find(member, '\0', 1, true)
    local second = first and string.find(member, '\0', first + 1, true)
    if not second then
      corrupt = member
      return false
    end
    local fields = {
      string.sub(member, 1, first - 1),
      string.sub(member, first + 1, second - 1),
      string.sub(member, second + 1)
    }
    local capacity = tonumber(fields[capacity_at])
    if not capacity then
      corrupt = member
      return false
    end
    if capacity >= least and capacity <= most
        and string.sub(fields[name_at], 1, #prefix) == prefix then
      if #ids == limit then
        more = true
        return false
      end
      ids[#ids + 1] = fields[id_at]
    end
    last = entries[i + stride - 1]
    scanned = scanned + 1
  end
  return true
end

-- One more than the page tells whether another page follows.
local want = math.min(limit + 1, budget)
while want > 0 do
  want = math.min(want, CHUNK)
  local entries = fetch(want)
  if not walk(entries) or #entries < want * stride then
    break
  end
  go_on_behind(last)
  if scanned == budget then
    more = #fetch(1) > 0
  end
  want = math.min(CHUNK, budget - scanned)
end
if corrupt then
  return {'corrupt', corrupt}
end

local answer = {'page', redis.call('GET', KEYS[1]), more and last}
for from = 1, #ids, CHUNK do
  local keys = {}
  for i = from, math.min(from + CHUNK - 1, #ids) do
    keys[#keys + 1] = ARGV[13] .. ids[i]
  end
  local documents = redis.call('MGET', unpack(keys))
  for i = 1, #keys do
    answer[#answer + 1] = ids[from + i - 1]
    answer[#answer + 1] = documents[i]
  end
end
return answer
