-- Before every script that writes: whether the partition is as the caller expects.
-- KEYS: 1 checkpoint, 2 building, 3 revision. ARGV: 1 to 3 what they should be,
-- empty for absent.
local function is_as_expected()
  for n = 1, 3 do
    if (redis.call('GET', KEYS[n]) or '') ~= ARGV[n] then
      return false
    end
  end
  return true
end

