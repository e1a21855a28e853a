-- Before scripts that write many members at once: one command is cheaper than
-- many, but what unpack takes is bounded.
local PART = 1000
local function in_parts(list, write)
  for from = 1, #list, PART do
    write(unpack(list, from, math.min(from + PART - 1, #list)))
  end
end

