-- Removes what is in the way of a new read model of a partition.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 layout, 5 rewound.
-- ARGV: 1 `wiping:` and who wipes, 2 `begin`, `remove`, or `end`.
--       begin: 3 to 5 checkpoint, building and revision as expected; 3 is
--       `unbuilt` where there should be no read model of the layout 6. What the
--       log lost, as watches are told: 7 the last event before it, or empty, and
--       8 its end.
--       remove: 3 cursor, 4 pattern, then what all keys to remove begin with,
--       and 7 what is kept.
--       end: 3 the value of building, 4 that of layout.
-- Answers 'done' and the next cursor, or 'superseded', or at the beginning
-- 'removed' with nothing.

local WIPING = '^wiping:'
local checkpoint, building = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''
if ARGV[2] == 'begin' then
  local expected
  if ARGV[3] == 'unbuilt' then
    expected = redis.call('GET', KEYS[4]) ~= ARGV[6]
      or (checkpoint == '' and (building == '' or string.find(building, WIPING)))
  else
    expected = checkpoint == ARGV[3] and building == ARGV[4]
      and (redis.call('GET', KEYS[3]) or '') == ARGV[5]
  end
  if not expected then
    return {'superseded'}
  end
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], ARGV[1])
  if ARGV[7] ~= '' then
    remember_lost(KEYS[5], tonumber(ARGV[7]), tonumber(ARGV[8]))
  end
  return {'done', '0'}
end
if building ~= ARGV[1] then
  return {'superseded'}
end
if ARGV[2] == 'end' then
  redis.call('SET', KEYS[2], ARGV[3])
  redis.call('SET', KEYS[4], ARGV[4])
  -- Whoever still believes in the old read model writes nothing into the new.
  redis.call('INCR', KEYS[3])
  return {'done', '0'}
end
local kept = {}
for n = 7, #ARGV do
  kept[ARGV[n]] = true
end
local found = redis.call('SCAN', ARGV[3], 'MATCH', ARGV[4], 'COUNT', 100)
for _, key in ipairs(found[2]) do
  local ours = string.sub(key, 1, #ARGV[5]) == ARGV[5] or string.sub(key, 1, #ARGV[6]) == ARGV[6]
  if ours and not kept[key] then
    redis.call('UNLINK', key)
  end
end
return {'done', found[1]}
