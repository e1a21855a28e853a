-- Before scripts that hand many values to a command: one command is cheaper than
-- many, but what unpack takes is bounded.
local PART = 1000
local function in_parts(list, use)
  for from = 1, #list, PART do
    use(unpack(list, from, math.min(from + PART - 1, #list)))
  end
end

