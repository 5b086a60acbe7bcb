-- Strings, tables, closures, coroutines and errors: enough to reach most of the interpreter.
report("string", ("jit" .. "scope"):upper():rep(2, "/"))
report("format", string.format("%5.2f %x %q", math.pi, 48879, "a\nb"))
report("gsub", (("sections blocks edges"):gsub("%w+", function(word) return #word end)))

local squares = {}
for i = 1, 10 do squares[i] = i * i end
report("table", table.concat(squares, " "))
table.sort(squares, function(a, b) return a % 10 < b % 10 or (a % 10 == b % 10 and a < b) end)
report("sort", table.concat(squares, " "))

local fibonacci = coroutine.wrap(function()
  local a, b = 0, 1
  while true do
    coroutine.yield(a)
    a, b = b, a + b
  end
end)
local numbers = {}
for i = 1, 15 do numbers[i] = fibonacci() end
report("coroutine", table.concat(numbers, " "))

-- An error leaves through C frames by longjmp and comes back as a value.
local ok, message = pcall(function() error({code = 42}) end)
report("pcall", tostring(ok) .. " " .. message.code)
ok, message = pcall(function() local nothing; return nothing.field end)
report("error", message:gsub("^.*/", ""))

local vector = setmetatable({3, 4}, {__add = function(a, b) return a[1] + b[1] + a[2] + b[2] end,
                                     __len = function() return 5 end})
report("metatable", vector + vector + #vector)
return "done"
