-- Reads circles of which some may be parked.
--
-- KEYS: 1 checkpoint, 2 parked, then the documents.
-- ARGV: the circles of the documents.
-- Answers 'circles', the checkpoint, the documents, and then the events that
-- park the circles, each in their order.

-- What unpack takes is bounded.
local CHUNK = 1000

local answer = {'circles', redis.call('GET', KEYS[1])}
local function add(values)
  for n = 1, #values do
    answer[#answer + 1] = values[n]
  end
end
for from = 3, #KEYS, CHUNK do
  add(redis.call('MGET', unpack(KEYS, from, math.min(from + CHUNK - 1, #KEYS))))
end
for from = 1, #ARGV, CHUNK do
  add(redis.call('HMGET', KEYS[2], unpack(ARGV, from, math.min(from + CHUNK - 1, #ARGV))))
end
return answer
