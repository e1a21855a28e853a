-- Reads one page of a list that is one stretch of an index.
--
-- KEYS: 1 checkpoint, 2 index.
-- ARGV: which stretch, as ZRANGE takes it.
-- Answers 'page', the checkpoint, and the entries, a line each; where it is by
-- creation, two: the member, then its score. No member holds a line's end.

local entries = redis.call('ZRANGE', KEYS[2], unpack(ARGV))
return {'page', redis.call('GET', KEYS[1]), table.concat(entries, '\n')}
