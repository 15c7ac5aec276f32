-- Reads the ends of a room's log, the id at one offset and a page; gives a room that has none its epoch, and another
-- one to a room whose epoch is to be replaced.
-- KEYS[1] log (see append.lua)
-- KEYS[2] meta
-- KEYS[3] ids
-- KEYS[4] ids of the window before
-- ARGV[1] epoch, for a room that needs one
-- ARGV[2] how long the identity of a room without messages is kept, in ms
-- ARGV[3] offset whose id is asked for
-- ARGV[4] mode of the page: after, before or younger
-- ARGV[5] offset, or for younger an age in ms
-- ARGV[6] most messages of the page
-- ARGV[7] epoch that is to be replaced, or empty
-- Returns epoch, top, id of the top, first offset that is kept, id at the asked offset or nil, page (oldest first)

local function text(number)
  return string.format("%.0f", number)
end

-- The first offset from low to high - 1 whose message is of this time or later, else high.
local function first_since(low, high, time)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call("XRANGE", KEYS[1], text(middle) .. "-0", "+", "COUNT", "1")[1]
    if entry and tonumber(entry[2][4]) < time then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local meta = redis.call("HMGET", KEYS[2], "epoch", "top", "topid", "time", "age")
if not meta[1] then
  redis.call("HSET", KEYS[2], "epoch", ARGV[1], "top", "0", "topid", "", "time", "0", "rotated", "0")
  redis.call("PEXPIRE", KEYS[2], ARGV[2])
  redis.call("DEL", KEYS[1], KEYS[3], KEYS[4])
  meta = { ARGV[1], "0", "", "0", false }
end
if meta[1] == ARGV[7] then
  redis.call("HSET", KEYS[2], "epoch", ARGV[1])
  meta[1] = ARGV[1]
end
local top = tonumber(meta[2])
local clock = redis.call("TIME")
local now = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(meta[4]))

local first = top + 1
local oldest = redis.call("XRANGE", KEYS[1], "-", "+", "COUNT", "1")[1]
if oldest then
  first = tonumber(string.match(oldest[1], "^%d+"))
  local bound = now - tonumber(meta[5])
  if tonumber(oldest[2][4]) < bound then
    first = first_since(first, top + 1, bound)
    redis.call("XTRIM", KEYS[1], "MINID", "=", text(first) .. "-0")
  end
end

local asked, id_at = tonumber(ARGV[3]), false
if asked == top then
  id_at = meta[3]
elseif asked >= first and asked < top then
  local entry = redis.call("XRANGE", KEYS[1], text(asked) .. "-0", text(asked) .. "-0")[1]
  id_at = entry and entry[2][2] or false
end

local page, value, limit = {}, tonumber(ARGV[5]), tonumber(ARGV[6])
if limit > 0 and first <= top then
  local from
  if ARGV[4] == "before" then
    from = math.max(math.min(value, top + 1) - limit, first)
    limit = math.min(value, top + 1) - from
  elseif ARGV[4] == "after" then
    from = math.max(value + 1, first)
  else
    from = first_since(first, top + 1, now - value)
  end
  if limit > 0 and from <= top then
    page = redis.call("XRANGE", KEYS[1], text(from) .. "-0", "+", "COUNT", text(limit))
  end
end
return { meta[1], top, meta[3], first, id_at, page }
