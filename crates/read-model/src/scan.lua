-- Reads some of the keys that belong to circles.
--
-- KEYS: 1 any key of the partition. ARGV: 1 cursor, 2 pattern.
-- Answers 'keys', the next cursor, and the keys.

local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 100)
local answer = {'keys', found[1]}
for n, key in ipairs(found[2]) do
  answer[n + 2] = key
end
return answer
