-- Writes all of some circles into a read model that is built and has none of them,
-- if the partition is still as expected. Sent twice, it writes the same.
--
-- KEYS: 1 checkpoint, 2 building, 3 revision, 4 to 6 the indexes by name, by
--       capacity and by create time, 7 parked, 8 their count, then document and
--       history of each circle.
-- ARGV: 1 to 3 checkpoint, building and revision as expected, empty for absent,
--       4 how many circles there are. Then per circle: its id; its document; its
--       score by create time; its members by name and by capacity; the event
--       that parks it; how long its history is, and that. Empty: there is none.
-- Answers 'filled', or 'superseded', and then nothing is written.

if not is_as_expected() then
  return {'superseded'}
end
local at = 5
local documents, names, capacities, times = {}, {}, {}, {}
for circle = 1, tonumber(ARGV[4]) do
  local document, history = KEYS[7 + circle * 2], KEYS[8 + circle * 2]
  local first = at + 7
  at = first + tonumber(ARGV[first - 1])
  if redis.call('LLEN', history) > 0 then
    redis.call('DEL', history)
  end
  for from = first, at - 1, PART do
    redis.call('RPUSH', history, unpack(ARGV, from, math.min(from + PART, at) - 1))
  end
  if ARGV[first - 6] ~= '' then
    local n = #documents
    documents[n + 1], documents[n + 2] = document, ARGV[first - 6]
    names[n + 1], names[n + 2] = '0', ARGV[first - 4]
    capacities[n + 1], capacities[n + 2] = '0', ARGV[first - 3]
    times[n + 1], times[n + 2] = ARGV[first - 5], ARGV[first - 3]
  end
  if ARGV[first - 2] ~= '' then
    redis.call('HSET', KEYS[7], ARGV[first - 7], ARGV[first - 2])
    redis.call('SET', KEYS[8], redis.call('HLEN', KEYS[7]))
  end
end
in_parts(documents, function(...) redis.call('MSET', ...) end)
in_parts(names, function(...) redis.call('ZADD', KEYS[4], ...) end)
in_parts(capacities, function(...) redis.call('ZADD', KEYS[5], ...) end)
in_parts(times, function(...) redis.call('ZADD', KEYS[6], ...) end)
return {'filled'}
