-- Applies one batch if the checkpoint is still the expected one.
--
-- KEYS: 1 checkpoint, 2 to 4 the indexes by name, capacity and create time,
--       then the document of each change.
-- ARGV: 1 expected checkpoint, 2 next checkpoint, 3 channel, then eight per
--       change: the document; its members before in the three indexes; its
--       members after; the score by create time. Empty: there is none, or,
--       for the score of a circle that was there before, it stays.
-- Answers 'applied', or 'superseded' with the checkpoint found, or 'unlisted'
-- with the number of a change whose member is missing by create time.

local FIRST_DOCUMENT = 5
local SCORE = 8

local function argument(change, n)
  return ARGV[3 + (change - FIRST_DOCUMENT) * 8 + n]
end

local found = redis.call('GET', KEYS[1])
if found ~= ARGV[1] then
  return {'superseded', found}
end

-- All that can fail comes before the first write: a script that fails later
-- leaves what it has written.
local scores = {}
for index = 2, 4 do
  redis.call('ZCARD', KEYS[index])
end
for change = FIRST_DOCUMENT, #KEYS do
  local score = argument(change, SCORE)
  if score == '' and argument(change, 1) ~= '' then
    score = redis.call('ZSCORE', KEYS[4], argument(change, 4))
    if not score then
      return {'unlisted', tostring(change - FIRST_DOCUMENT)}
    end
  end
  scores[change] = score
end

for change = FIRST_DOCUMENT, #KEYS do
  local document = argument(change, 1)
  if document == '' then
    redis.call('DEL', KEYS[change])
  else
    redis.call('SET', KEYS[change], document)
  end
  for index = 2, 4 do
    local before, after = argument(change, index), argument(change, index + 3)
    if before ~= after or index == 4 then
      if before ~= '' then
        redis.call('ZREM', KEYS[index], before)
      end
      if after ~= '' then
        redis.call('ZADD', KEYS[index], index == 4 and scores[change] or '0', after)
      end
    end
  end
end
redis.call('SET', KEYS[1], ARGV[2])
-- A hint only: no permission for the channel must not fail what is written.
redis.pcall('PUBLISH', ARGV[3], ARGV[2])
return {'applied'}
