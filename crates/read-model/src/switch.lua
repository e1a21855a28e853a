-- Puts the read models of the spare database in the place of those in use, and the
-- other way round, if both are as expected.
--
-- KEYS: per partition: checkpoint, building, revision, replaced.
-- ARGV: 1 the database in use, 2 the spare one, then per partition checkpoint, building
--       and revision of those in use, empty for absent; then the same of the new ones.
-- Answers 'switched', also where it was sent again and is done already, or 'superseded',
-- and then all is as it was.

local partitions = #KEYS / 4

local function are_at(first)
  for partition = 0, partitions - 1 do
    for n = 1, 3 do
      if (redis.call('GET', KEYS[partition * 4 + n]) or '') ~= ARGV[first + partition * 3 + n] then
        return false
      end
    end
  end
  return true
end

-- Those that are replaced may be wiped; those in use may not.
local function mark(command, ...)
  for partition = 0, partitions - 1 do
    redis.call(command, KEYS[partition * 4 + 4], ...)
  end
end

local old, new = 2, 2 + partitions * 3
if not are_at(old) then
  return {are_at(new) and 'switched' or 'superseded'}
end
mark('SET', '1')
redis.call('SWAPDB', ARGV[1], ARGV[2])
local switched = are_at(new)
if not switched then
  -- Somebody else writes into the spare database.
  redis.call('SWAPDB', ARGV[1], ARGV[2])
end
mark('DEL')
return {switched and 'switched' or 'superseded'}
