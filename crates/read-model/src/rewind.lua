-- Takes a partition back to an event that the log still has: the log lost what
-- came after it. The circles of the events that are gone are parked, until they
-- are folded anew. Nothing happens if the partition is not as expected.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 changes, 5 rewound, 6 parked,
--       7 their count.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 and 5 checkpoint and building as they shall be, 6 the sequence that
--       they then hold, 7 the sequence that they hold now, 8 channel and
--       9 message, then id and event of each circle to park.
-- Answers 'rewound' and the new revision, or 'superseded'.

local function is(key, expected)
  return (redis.call('GET', key) or '') == expected
end
if not (is(KEYS[1], ARGV[1]) and is(KEYS[2], ARGV[2]) and is(KEYS[3], ARGV[3])) then
  return {'superseded'}
end
redis.call('HLEN', KEYS[6])
redis.call('XLEN', KEYS[4])

for n = 10, #ARGV, 2 do
  redis.call('HSET', KEYS[6], ARGV[n], ARGV[n + 1])
end
local count = redis.call('HLEN', KEYS[6])
if count > 0 then
  redis.call('SET', KEYS[7], count)
end

-- The corrections made at the common event stay true only until then.
local behind = ARGV[6] .. '-18446744073709551615'
while true do
  local lost = redis.call('XRANGE', KEYS[4], '(' .. behind, '+', 'COUNT', 1000)
  if #lost == 0 then
    break
  end
  local ids = {}
  for n = 1, #lost do
    ids[n] = lost[n][1]
  end
  redis.call('XDEL', KEYS[4], unpack(ids))
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  local top = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
  local sequence = top and string.match(top[1], '^%d+')
  redis.call('XSETID', KEYS[4], sequence == ARGV[6] and top[1] or (ARGV[6] .. '-0'))
end

-- Of several times, what all of them lost.
local common, til, times = tonumber(ARGV[6]), tonumber(ARGV[7]), 1
local earlier = redis.call('GET', KEYS[5])
if earlier then
  local read, other = pcall(cjson.decode, earlier)
  if read and type(other) == 'table' and tonumber(other.common) and tonumber(other['until']) then
    common, til = math.min(common, other.common), math.max(til, other['until'])
    times = (tonumber(other.times) or 0) + 1
  end
end
redis.call('SET', KEYS[5], string.format('{"common":%.0f,"until":%.0f,"times":%.0f}', common, til, times))

for key, value in pairs({[KEYS[1]] = ARGV[4], [KEYS[2]] = ARGV[5]}) do
  if value == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, value)
  end
end
local revision = redis.call('INCR', KEYS[3])
if ARGV[8] ~= '' then
  redis.pcall('PUBLISH', ARGV[8], ARGV[9])
end
return {'rewound', tostring(revision)}
