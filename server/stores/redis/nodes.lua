-- Renews the leases of one node, tells how many connections its rooms have, and reads which nodes live.
-- KEYS[1] registry: a sorted set of nodes by the end of their lease, in ms
-- KEYS[2] clock: a hash of born, last and woke: when the registry began, was used last, and last put all leases off
-- KEYS[3] connections: a hash from room to how many connections it has on the node
-- ARGV[1] lease, in ms
-- ARGV[2] after so many ms in which nobody asked, Redis was away and not the nodes
-- ARGV[3] for so long the connections are kept, in ms
-- ARGV[4] id that the node takes, or ""
-- ARGV[5] how many ids it has
-- ARGV[6..] the ids, then pairs of a room and its connections
-- Returns the time, its time since born, woke, which of the ids are not known (each 1 or 0, as one text), then of each
-- node that lives its id and the end of its lease

-- Lua itself writes numbers with 14 digits.
local function text(number)
  return string.format("%.0f", number)
end

local registry, clock, connections = KEYS[1], KEYS[2], KEYS[3]
local parts = redis.call("TIME")
local now = parts[1] * 1000 + math.floor(parts[2] / 1000)
-- Stays the first write: Redis refuses neither this one for lack of memory nor any behind it, and a lease must not run
-- out because Redis is full.
redis.call("ZREM", registry, "")
local times = redis.call("HMGET", clock, "born", "last", "woke")
local born, last, woke = tonumber(times[1] or text(now)), tonumber(times[2] or text(now)), tonumber(times[3] or "0")
local away = now - last
if away > tonumber(ARGV[2]) or away < 0 then
  local leases = redis.call("ZRANGE", registry, "0", "-1", "WITHSCORES")
  for i = 1, #leases, 2 do
    redis.call("ZADD", registry, text(tonumber(leases[i + 1]) + away), leases[i])
  end
  woke = now
end
redis.call("ZREMRANGEBYSCORE", registry, "-inf", text(now - 1))
if redis.call("EXISTS", registry) == 0 or born > now then
  born = now
end
redis.call("HSET", clock, "born", text(born), "last", text(now), "woke", text(woke))

local lease_end = text(now + tonumber(ARGV[1]))
if ARGV[4] ~= "" then
  redis.call("ZADD", registry, lease_end, ARGV[4])
end
local ids, unknown = tonumber(ARGV[5]), ""
for i = 6, 5 + ids do
  -- One whose lease has run out stays unknown: the answer that says so may get lost.
  redis.call("ZADD", registry, "XX", lease_end, ARGV[i])
  unknown = unknown .. (redis.call("ZSCORE", registry, ARGV[i]) and "0" or "1")
end
for i = 6 + ids, #ARGV, 2 do
  if ARGV[i + 1] == "0" then
    redis.call("HDEL", connections, ARGV[i])
  else
    redis.call("HSET", connections, ARGV[i], ARGV[i + 1])
  end
end
redis.call("PEXPIRE", connections, ARGV[3])

local reply = { text(now), text(now - born), text(woke), unknown }
for _, part in ipairs(redis.call("ZRANGE", registry, "0", "-1", "WITHSCORES")) do
  reply[#reply + 1] = part
end
return reply
