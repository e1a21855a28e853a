-- Looks for entries of an index that belong to no circle as it is shown, and
-- removes them if asked.
--
-- KEYS: 1 index, 2 any key of the partition.
-- ARGV: 1 BYLEX or BYSCORE, 2 lower bound, 3 how many entries, 4 what documents
--       begin with, 5 `name` or `capacity`: what members begin with, 6 `repair`
--       or `compare`.
-- Answers 'swept', the next lower bound (empty at the end), and how many of the
-- entries that were looked at are stray.

local by_score = ARGV[1] == 'BYSCORE'
local command = {'ZRANGE', KEYS[1], ARGV[2], by_score and '+inf' or '+', ARGV[1], 'LIMIT', 0, ARGV[3]}
if by_score then
  command[#command + 1] = 'WITHSCORES'
end
local found = redis.call(unpack(command))
local stride = by_score and 2 or 1

local function belongs(member)
  local nul = string.find(member, '\0', 1, true)
  local id = nul and string.sub(member, nul + 1, nul + 36) or ''
  local document = redis.pcall('GET', ARGV[4] .. id)
  if type(document) ~= 'string' then
    return false
  end
  local by_name, by_capacity = members(document)
  return member == (ARGV[5] == 'name' and by_name or by_capacity)
end

local more = #found == tonumber(ARGV[3]) * stride
local last = found[#found]
if by_score and more then
  -- A stray entry can have the score of another, and the next page begins
  -- behind all of that score.
  while found[#found] == last do
    found[#found], found[#found - 1] = nil, nil
  end
  for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], last, last, 'BYSCORE', 'WITHSCORES')) do
    found[#found + 1] = entry
  end
end

local stray = 0
for n = 1, #found, stride do
  if not belongs(found[n]) then
    stray = stray + 1
    if ARGV[6] == 'repair' then
      redis.call('ZREM', KEYS[1], found[n])
    end
  end
end
return {'swept', more and '(' .. last or '', tostring(stray)}
