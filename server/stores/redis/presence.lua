-- Carries out what one node says of a room's members, in order, and announces what it changed, in one atomic step.
-- KEYS[1] here: a hash from user to "<nodes that hold it> <those where it does not linger> <joinedAt> <head>"
-- KEYS[2] state: a hash of life, version and total, and for each node that holds somebody how many
-- KEYS[3] names: a hash from "n" and a folded name to its user, and from "u" and the user to that name
-- KEYS[4] on: the set of users that the node holds, each behind "+", or "-" while it lingers there
-- ARGV[1] node
-- ARGV[2] life, for a room that has none
-- ARGV[3] channel
-- ARGV[4] for so long everything is kept, in ms
-- ARGV[5] wire text before the members' change
-- ARGV[6] wire text after it
-- ARGV[7..] of each operation its kind, user, folded name or "", most members, head; a prune takes back some users
-- Returns life, how many users the node holds, then of each operation 0 (done), 1 (name taken), 2 (full) or 3 (more)

local PRUNED_AT_ONCE = "500"
local here, state, names, on = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- Lua itself writes numbers with 14 digits.
local function text(number)
  return string.format("%.0f", number)
end

local adds = false
for i = 7, #ARGV, 5 do
  adds = adds or ARGV[i] == "touch"
end

local found = redis.call("HMGET", state, "life", "version", "total", ARGV[1])
local life, version, held = found[1], tonumber(found[2] or "0"), tonumber(found[4] or "0")
-- What was lost in part, by eviction say, can't be counted on: a new life makes every node say it again.
local is_whole = life and redis.call("HLEN", here) == tonumber(found[3])
  and (held == 0 or redis.call("SCARD", on) == held)
local reply = { life or "", 0 }
if not life and not adds then
  for i = 7, #ARGV, 5 do
    reply[#reply + 1] = 0
  end
  return reply
end
if not is_whole then
  life, version, held = ARGV[2], 0, 0
end

-- Stays the first write: Redis refuses neither this one for lack of memory nor any behind it. There are never more members
-- than connections, and whoever can't be one could not even read.
redis.call("HDEL", state, "")
if not is_whole then
  redis.call("DEL", here, names, state)
  redis.call("HSET", state, "life", life, "version", "0", "total", "0")
end
if held == 0 then
  -- Of an earlier life.
  redis.call("DEL", on)
end

local clock = redis.call("TIME")
local now = text(clock[1] * 1000 + math.floor(clock[2] / 1000))
local before, order = {}, {}

local function json(member)
  return member.holders > 0 and member.head .. ',"joinedAt":' .. member.joined .. "}"
end

local function read(user)
  local value = redis.call("HGET", here, user)
  local member = { holders = 0, active = 0, joined = now }
  if value then
    local holders, active, joined, head = string.match(value, "^(%d+) (%d+) (%d+) (.*)$")
    member = { holders = tonumber(holders), active = tonumber(active), joined = joined, head = head }
  end
  if before[user] == nil then
    before[user], order[#order + 1] = json(member), user
  end
  return member
end

local function free_name(user)
  local name = redis.call("HGET", names, "u" .. user)
  if name then
    redis.call("HDEL", names, "u" .. user, "n" .. name)
  end
end

local function write(user, member)
  if member.holders > 0 then
    local counts = text(member.holders) .. " " .. text(member.active) .. " " .. member.joined
    redis.call("HSET", here, user, counts .. " " .. member.head)
  else
    redis.call("HDEL", here, user)
  end
  if member.active == 0 then
    free_name(user)
  end
end

local function touch(user, name, most, head)
  local owner = name ~= "" and redis.call("HGET", names, "n" .. name)
  if owner and owner ~= user then
    return 1
  end
  local member = read(user)
  if member.holders == 0 and redis.call("HLEN", here) >= tonumber(most) then
    return 2
  end
  local lingered = redis.call("SREM", on, "-" .. user)
  if redis.call("SADD", on, "+" .. user) == 1 then
    held, member.active = held + 1 - lingered, member.active + 1
    member.holders = member.holders + 1 - lingered
  end
  member.head = head
  write(user, member)
  if (redis.call("HGET", names, "u" .. user) or "") ~= name then
    free_name(user)
    if name ~= "" then
      redis.call("HSET", names, "n" .. name, user, "u" .. user, name)
    end
  end
  return 0
end

local function linger(user)
  if redis.call("SREM", on, "+" .. user) == 1 then
    redis.call("SADD", on, "-" .. user)
    local member = read(user)
    member.active = member.active - 1
    write(user, member)
  end
  return 0
end

-- The node no longer holds the user, who was active there or only lingered.
local function let_go(user, active)
  local member = read(user)
  held, member.holders, member.active = held - 1, member.holders - 1, member.active - active
  write(user, member)
end

local function remove(user)
  local active = redis.call("SREM", on, "+" .. user)
  if active + redis.call("SREM", on, "-" .. user) > 0 then
    let_go(user, active)
  end
  return 0
end

local function prune()
  for _, entry in ipairs(redis.call("SPOP", on, PRUNED_AT_ONCE)) do
    let_go(string.sub(entry, 2), string.sub(entry, 1, 1) == "+" and 1 or 0)
  end
  return held > 0 and 3 or 0
end

local operations = { touch = touch, linger = linger, remove = remove, prune = prune }
for i = 7, #ARGV, 5 do
  reply[#reply + 1] = operations[ARGV[i]](ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end

local joined, left = {}, {}
for _, user in ipairs(order) do
  local after = json(read(user))
  if after and after ~= before[user] then
    joined[#joined + 1] = after
  elseif before[user] and not after then
    left[#left + 1] = before[user]
  end
end
local wire
if #joined + #left > 0 then
  version = version + 1
  local total = text(redis.call("HLEN", here))
  redis.call("HSET", state, "version", text(version), "total", total)
  wire = ARGV[5] .. '"life":"' .. life .. '","version":' .. text(version) .. ',"total":' .. total
    .. ',"joined":[' .. table.concat(joined, ",") .. '],"left":[' .. table.concat(left, ",") .. "]" .. ARGV[6]
end
if held > 0 then
  redis.call("HSET", state, ARGV[1], text(held))
else
  redis.call("HDEL", state, ARGV[1])
end
for _, key in ipairs(KEYS) do
  redis.call("PEXPIRE", key, ARGV[4])
end
-- Sent only when all is stored: an error above must not leave nodes with members whom the room lacks.
if wire then
  redis.call("SPUBLISH", ARGV[3], wire)
end
reply[1], reply[2] = life, held
return reply
