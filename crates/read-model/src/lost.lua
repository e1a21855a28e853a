-- Before every script that tells watches what the log lost; of several times, what all of
-- them lost.
local function remember_lost(key, common, til)
  local times = 1
  local earlier = redis.call('GET', key)
  if earlier then
    local read, other = pcall(cjson.decode, earlier)
    if read and type(other) == 'table' and tonumber(other.common) and tonumber(other['until']) then
      common, til = math.min(common, other.common), math.max(til, other['until'])
      times = (tonumber(other.times) or 0) + 1
    end
  end
  redis.call('SET', key, string.format('{"common":%.0f,"until":%.0f,"times":%.0f}', common, til, times))
end

