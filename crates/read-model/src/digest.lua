-- Sums up what is shown of some circles, so that two read models can be compared.
--
-- KEYS: 1 to 3 the indexes by name, by capacity and by create time, then document
--       and history of each circle.
-- ARGV: 1 how many circles there are.
-- Answers 'digests', then a text per circle.

local answer = {'digests'}
for n = 1, tonumber(ARGV[1]) do
  local document = redis.pcall('GET', KEYS[2 + n * 2])
  local shown = type(document) == 'string' and document or ''
  local name, capacity = members(shown)
  local parts = {
    shown,
    redis.call('ZSCORE', KEYS[1], name or '') or '',
    redis.call('ZSCORE', KEYS[2], capacity or '') or '',
    redis.call('ZSCORE', KEYS[3], capacity or '') or ''
  }
  local history = redis.pcall('LRANGE', KEYS[3 + n * 2], 0, -1)
  parts[5] = history.err or table.concat(history, '\n')
  answer[n + 1] = redis.sha1hex(table.concat(parts, '\n'))
end
return answer
