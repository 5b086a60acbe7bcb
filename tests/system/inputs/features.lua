-- Strings, tables, coroutines, errors, garbage collection, files and the operating system.
local function section(name) print("== " .. name) end

section "strings"
print(("%5.2f|%x|%q|%-6s|%06d"):format(3.14159, 48879, "a\nb", "ab", 42))
print(("hello world"):gsub("o", "0"), ("key=value"):match("(%w+)=(%w+)"))
print(string.pack("<i4z", 7, "x"):byte(1, -1))
print(utf8.char(228, 8364, 128512), #utf8.char(128512), ("abc"):rep(3, "-"), ("abc"):reverse())
for word in ("one two three"):gmatch "%a+" do io.write(word:upper(), " ") end print()

section "numbers"
print(10 // 3, 10 % -3, 2 ^ 0.5, 7 / 2, 1 << 40, ~0, 0x7fffffffffffffff + 1, math.maxinteger // -1)
print(math.floor(-2.5), math.tointeger(3.0), math.fmod(-7, 3), tostring(1e100), 0/0 ~= 0/0, math.ult(1, -1))
print(math.sin(1), math.exp(1), math.log(10, 2), tonumber("0x1p4"), tonumber("zz", 36))

section "tables"
local t = {5, 3, 9, 1, name = "n"}
table.sort(t, function(a, b) return a > b end)
print(table.concat(t, ","), #t, table.unpack(t, 2, 3))
table.insert(t, 2, 100) print(table.remove(t), table.concat(t, " "))
local big = {} for i = 1, 10000 do big[i] = i * i end
local sum = 0 for _, v in ipairs(big) do sum = sum + v end print(sum)
local proxy = setmetatable({}, {__index = function(_, k) return k .. "!" end, __call = function(_, x) return x * 2 end,
  __len = function() return 99 end, __close = function() print "closed" end})
print(proxy.key, proxy(21), #proxy)
do local c <close> = proxy end

section "coroutines"
local function producer(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * i) end return "end" end) end
local p = producer(3)
for _ = 1, 4 do print(p()) end
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({code = b}) end)
print(coroutine.resume(co, 1))
local ok, e = coroutine.resume(co, 77) print(ok, e.code, coroutine.status(co))

section "errors"
print(pcall(error, "plain"))
print(pcall(function() local x = nil; return x.y end))
print(select(2, pcall(function() error("with position", 2) end)))
print(xpcall(function() error("deep") end, function(m) return "handled: " .. m:gsub("^.-:%d+: ", "") end))
local depth = 0
local function recurse() depth = depth + 1 return 1 + recurse() end
local fine, message = pcall(recurse)
print(fine, message:match("stack overflow") , depth > 100)
print(load("x = = 1"))
print(load("return ...", "chunk", "t", {})(1, 2, 3))

section "memory"
local weak = setmetatable({}, {__mode = "v"})
weak[1] = {} collectgarbage() print(weak[1], collectgarbage("count") > 0)
local finalised = 0
for _ = 1, 100 do setmetatable({}, {__gc = function() finalised = finalised + 1 end}) end
collectgarbage() collectgarbage() print(finalised)
print(#string.rep("x", 5000000))

section "the system"
local name = os.tmpname()
local f = assert(io.open(name, "w")) f:write("line 1\n", 2, "\n") f:close()
for line in io.lines(name) do io.write("[", line, "]") end print()
os.remove(name) print((select(2, io.open(name)):gsub(".*: ", "")))
print(os.getenv("JITSCOPE_TEST"), type(os.time()), os.date("!%Y-%m-%d", 86400))
print(#arg, arg[1], debug.traceback("trace", 1):match("stack traceback"))
for k in pairs(package.loaded) do sum = sum + #k end print(sum)
io.stdout:setvbuf("full")
local line = io.read("l") print("read", line, io.read("n"), io.read("a"))
os.exit(5, true)
