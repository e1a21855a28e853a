-- Reads circles of which some may be parked.
--
-- KEYS: 1 checkpoint, 2 parked, then the documents.
-- ARGV: the circles of the documents.
-- Answers 'circles', the checkpoint, the documents, and then the events that
-- park the circles, each in their order.

local answer = {'circles', redis.call('GET', KEYS[1])}
local function add(values)
  for n = 1, #values do
    answer[#answer + 1] = values[n]
  end
end
local documents = {}
for n = 3, #KEYS do
  documents[n - 2] = KEYS[n]
end
in_parts(documents, function(...) add(redis.call('MGET', ...)) end)
in_parts(ARGV, function(...) add(redis.call('HMGET', KEYS[2], ...)) end)
return answer
