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

if not is_as_expected() then
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

-- The stream is written anew without the lost entries, as servers from version
-- 7 on take no id that is below one that was ever deleted. Corrections that were
-- made at the common event stay.
local from, kept = '-', {}
while true do
  local entries = redis.call('XRANGE', KEYS[4], from, ARGV[6] .. '-18446744073709551615', 'COUNT', 1000)
  if #entries == 0 then
    break
  end
  for n = 1, #entries do
    kept[#kept + 1] = entries[n]
  end
  from = '(' .. entries[#entries][1]
end
redis.call('DEL', KEYS[4])
for n = 1, #kept do
  redis.call('XADD', KEYS[4], kept[n][1], unpack(kept[n][2]))
end

remember_lost(KEYS[5], tonumber(ARGV[6]), tonumber(ARGV[7]))

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
