-- Tells watches of some circles as they are now, after new read models have taken
-- the place of others that showed them otherwise.
--
-- KEYS: 1 checkpoint, 2 changes, then the document of each circle.
-- ARGV: 1 the sequence of the checkpoint, 2 the number of the last correction made
--       there by the read models before, 3 channel, 4 message, then the id of
--       each circle.
-- Answers 'corrected'.

local n = tonumber(ARGV[2])
for circle = 3, #KEYS do
  local document = redis.call('GET', KEYS[circle]) or ''
  local version = document ~= '' and string.match(document, '"version":(%d+)}$') or ''
  n = n + 1
  redis.call('XADD', KEYS[2], ARGV[1] .. '-' .. string.format('%.0f', n), 'type', 'corrected',
    'circle_id', ARGV[circle + 2], 'version', version, 'event_id', '', 'document', document)
end
if ARGV[3] ~= '' then
  redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return {'corrected'}
