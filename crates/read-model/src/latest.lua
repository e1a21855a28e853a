-- Reads the last entry of each history, an empty text where there is none.
--
-- KEYS: the histories.
-- Answers 'latest', then the entries.

local answer = {'latest'}
for n = 1, #KEYS do
  local entry = redis.pcall('LINDEX', KEYS[n], -1)
  answer[n + 1] = type(entry) == 'string' and entry or ''
end
return answer
