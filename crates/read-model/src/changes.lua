-- Reads entries of a partition's changes, and where the partition is.
--
-- KEYS: 1 checkpoint, 2 changes, 3 their floor, 4 rewound.
-- ARGV: 1 `after` or `before`, 2 the id of the entry that it is about, 3 how
--       many entries at most.
-- Answers 'changes', checkpoint, floor and rewound, then per entry its id and
-- the values of its five fields; the latest first for `before`.

local answer = {'changes', redis.call('GET', KEYS[1]), redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])}
local entries
if ARGV[1] == 'after' then
  entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[2], '+', 'COUNT', ARGV[3])
else
  entries = redis.call('XREVRANGE', KEYS[2], '(' .. ARGV[2], '-', 'COUNT', ARGV[3])
end
for _, entry in ipairs(entries) do
  answer[#answer + 1] = entry[1]
  for field = 2, 10, 2 do
    answer[#answer + 1] = entry[2][field] or ''
  end
end
return answer
