-- Before every script that compares: the members by name and by capacity that
-- belong to a document; nothing where it can't be read.
local function members(document)
  local read, circle = pcall(cjson.decode, document)
  if not read or type(circle) ~= 'table' then
    return nil
  end
  local id, name = circle.id, circle.name
  local capacity, version = tonumber(circle.capacity), tonumber(circle.version)
  if type(id) ~= 'string' or type(name) ~= 'string' or not capacity or not version then
    return nil
  end
  capacity, version = string.format('%05d', capacity), string.format('%010d', version)
  return name .. '\0' .. id .. capacity .. version, capacity .. name .. '\0' .. id .. version
end

