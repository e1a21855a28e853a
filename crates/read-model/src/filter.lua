-- Reads one page of a list of those circles that meet a filter.
--
-- KEYS: 1 checkpoint, 2 to 4 the indexes by name, by capacity and by create
--       time.
-- ARGV: 1 `name`, `capacity` or `create_time`, by which the list is ordered,
--       2 REV or empty, 3 lower and 4 upper bound of the page in that index,
--       5 circles in the page, 6 how many circles are looked at,
--       7 prefix of the name, 8 least and 9 most capacity,
--       10 and 11 the bounds of the prefix in the index by name, and
--       12 and 13 those of the capacity in the index by capacity; empty where
--       that is not asked for.
-- Answers 'page', the checkpoint, the entry up to which all was looked at
-- (nothing where that was all there is), and the circles' members of the index
-- of the order, a line each, by creation with their scores as in page.lua. In
-- no order, and those before the page too, where another index led to them.
-- Or answers 'unlisted' and a member that the index by create time lacks.

local order, reverse = ARGV[1], ARGV[2] == 'REV'
local wanted, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local prefix, least, most = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local prefix_end = 5 + #prefix
local sub, tonumber = string.sub, tonumber
local found = {}

local function count(index, lower, upper)
  return lower == '' and math.huge or redis.call('ZLEXCOUNT', KEYS[index], lower, upper)
end

local function page(last)
  return {'page', redis.call('GET', KEYS[1]), last, table.concat(found, '\n')}
end

-- An index other than that of the order, where it has few enough circles to
-- look at all of them: then the page is complete, however rare they are.
local function led_by_name()
  for _, member in ipairs(redis.call('ZRANGE', KEYS[2], ARGV[10], ARGV[11], 'BYLEX')) do
    local digits = sub(member, -15, -11)
    local capacity = tonumber(digits)
    if capacity and capacity >= least and capacity <= most then
      found[#found + 1] = digits .. sub(member, 1, -16) .. sub(member, -10)
    end
  end
end

local function led_by_capacity()
  for _, member in ipairs(redis.call('ZRANGE', KEYS[3], ARGV[12], ARGV[13], 'BYLEX')) do
    if sub(member, 6, prefix_end) == prefix then
      found[#found + 1] = order == 'name' and sub(member, 6, -11) .. sub(member, 1, 5) .. sub(member, -10) or member
    end
  end
end

local function add_scores()
  local members = found
  found = {}
  local n, unlisted = 0, nil
  in_parts(members, function(...)
    for _, score in ipairs(redis.call('ZMSCORE', KEYS[4], ...)) do
      n = n + 1
      if not score then
        unlisted = unlisted or members[n]
      end
      found[#found + 1] = members[n]
      found[#found + 1] = score
    end
  end)
  return unlisted
end

local named, sized = count(2, ARGV[10], ARGV[11]), count(3, ARGV[12], ARGV[13])
local own = order == 'name' and named or order == 'capacity' and sized or math.huge
if own > budget and math.min(named, sized) <= budget then
  if named <= sized then
    led_by_name()
  else
    led_by_capacity()
  end
  local unlisted = order == 'create_time' and add_scores()
  if unlisted then
    return {'unlisted', unlisted}
  end
  return page(false)
end

-- Otherwise the index of the order, from the page's beginning on.
local index = KEYS[order == 'name' and 2 or order == 'capacity' and 3 or 4]
local stride = order == 'create_time' and 2 or 1
local lower, upper = ARGV[3], ARGV[4]

local function fetch(limit)
  local by = stride == 2 and 'BYSCORE' or 'BYLEX'
  local command = reverse and {'ZRANGE', index, upper, lower, by, 'REV', 'LIMIT', 0, limit}
    or {'ZRANGE', index, lower, upper, by, 'LIMIT', 0, limit}
  if stride == 2 then
    command[#command + 1] = 'WITHSCORES'
  end
  return redis.call(unpack(command))
end

-- Adds those that match; answers the last entry looked at.
local function look_at(entries)
  for n = 1, #entries, stride do
    local member = entries[n]
    local capacity
    if order == 'name' then
      capacity = tonumber(sub(member, -15, -11))
    elseif sub(member, 6, prefix_end) == prefix then
      capacity = tonumber(sub(member, 1, 5))
    end
    if capacity and capacity >= least and capacity <= most then
      found[#found + 1] = member
      if stride == 2 then
        found[#found + 1] = entries[n + 1]
      end
      if #found == wanted * stride then
        return entries[n + stride - 1]
      end
    end
  end
  return entries[#entries]
end

local limit = math.min(wanted, budget)
while true do
  local entries = fetch(limit)
  local last = look_at(entries)
  budget = budget - limit
  if #found == wanted * stride then
    return page(last)
  end
  if #entries < limit * stride then
    return page(false)
  end
  if reverse then
    upper = '(' .. last
  else
    lower = '(' .. last
  end
  if budget == 0 then
    return page(#fetch(1) > 0 and last)
  end
  limit = math.min(2 * limit, budget)
end
