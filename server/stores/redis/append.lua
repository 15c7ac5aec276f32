-- Appends messages to a room's log and sends each to the room's channel, in one atomic step.
-- KEYS[1] log: a stream of <offset>-0, each with i (id), t (time) and m (head), always in this order
-- KEYS[2] meta: a hash of epoch, top, topid, time, age, rotated
-- KEYS[3] ids: a hash from keyed id to "<offset> <time> <SHA-1 of the head>"
-- KEYS[4] ids of the window before
-- ARGV[1] epoch, for a room that has none
-- ARGV[2] channel
-- ARGV[3] messages that are kept
-- ARGV[4] their age, in ms
-- ARGV[5] how much longer than them the identity is kept, in ms
-- ARGV[6] idempotency window, in ms
-- ARGV[7] wire text before a packet
-- ARGV[8] wire text after a packet
-- ARGV[9] time since which a message that was sent before may have been stored
-- ARGV[10] of each message its kind, a digit that adds 1 if the id is keyed, 2 if it was sent before
-- ARGV[11..] of each message its id and its head
-- Returns epoch, then of each message 1 (new), 2 (duplicate), 3 (id reused) or 4 (can't be told), its offset, its time; if
-- all are new, only of the first, which the others follow at the same time

-- Most of an append's cost is Redis's own for each command and each text that is made here, so there is no more of them
-- for each message than must be.
local call = redis.call

-- Lua itself writes numbers with 14 digits.
local function text(number)
  return string.format("%.0f", number)
end

-- What its sender wrote (see contentOf): the same user may come back as another guest.
local function content(head)
  return string.match(head, '^(.*),{"room":"') or head
end

-- Of the message whose id is this argument.
local function kind_of(i)
  return string.byte(ARGV[10], (i - 9) / 2) - 48
end

local kept, age, window = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local clock = call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local meta = call("HMGET", KEYS[2], "epoch", "top", "topid", "time", "rotated")
local epoch = meta[1] or ARGV[1]
local top, topid = tonumber(meta[2] or "0"), meta[3] or ""
local time = math.max(now, tonumber(meta[4] or "0"))
local rotated = tonumber(meta[5] or "0")

if now - rotated >= window then
  -- Stays the first write here, as XADD or HSET is below: for lack of memory Redis refuses the first one of a script,
  -- unless that only frees memory, and never a later one.
  call("HSET", KEYS[2], "epoch", epoch)
  if not meta[1] then
    -- What is left of an earlier log would stand in the way of offset 1, or pass for a part of this one.
    call("DEL", KEYS[1], KEYS[3], KEYS[4])
  elseif now - rotated < 2 * window and call("EXISTS", KEYS[3]) == 1 then
    call("RENAME", KEYS[3], KEYS[4])
  else
    call("DEL", KEYS[3], KEYS[4])
  end
  rotated = now
end

-- Looks for ids among what was stored since a time, newest first, and whether nothing of it can be missing. At least 100
-- messages are looked at, for the clock may have jumped, and no more than some MB: nobody else is served meanwhile.
local function look_back(wanted, since)
  local found, from, seen, budget = {}, "+", 0, 4194304
  local oldest, oldest_time = top + 1, tonumber(meta[4] or "0")
  repeat
    local entries = call("XREVRANGE", KEYS[1], from, "-", "COUNT", "50")
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      oldest, oldest_time = tonumber(string.match(entry[1], "^%d+")), tonumber(fields[4])
      if wanted[fields[2]] then
        found[fields[2]] = { oldest, oldest_time, fields[6] }
      end
      seen, budget = seen + 1, budget - 500 - #fields[6]
    end
    from = text(oldest - 1) .. "-0"
  until #entries < 50 or budget < 0 or (seen >= 100 and oldest_time < since)
  return found, oldest == 1 or oldest_time < since
end

local sent_before, any_before = {}, false
for i = 11, #ARGV, 2 do
  if kind_of(i) >= 2 then
    sent_before[ARGV[i]], any_before = true, true
  end
end
local stored, is_certain = {}, true
if any_before then
  stored, is_certain = look_back(sent_before, tonumber(ARGV[9]))
end

local time_text = text(time)
local wire_middle = '","epoch":"' .. epoch .. '","offset":'
local wire_end = ',"time":' .. time_text .. "}]" .. ARGV[8]
local before_first, reply, wires, is_keyed = top, { epoch }, {}, false
for i = 11, #ARGV, 2 do
  local id, kind, head = ARGV[i], kind_of(i), ARGV[i + 1]
  local keyed, before = kind % 2 == 1, kind >= 2
  local digest, known, earlier = nil, false, before and stored[id]
  if keyed then
    is_keyed, digest = true, redis.sha1hex(content(head))
    known = call("HGET", KEYS[3], id) or call("HGET", KEYS[4], id)
  end
  local outcome, offset, stamp = 1, nil, time
  if known then
    local first, first_time, first_digest = string.match(known, "^(%d+) (%d+) (%x+)$")
    outcome = first_digest == digest and 2 or 3
    offset, stamp = tonumber(first), tonumber(first_time)
  elseif earlier then
    offset, stamp = earlier[1], earlier[2]
    outcome = content(earlier[3]) == content(head) and 2 or 3
    if keyed and outcome == 2 then
      call("HSET", KEYS[3], id, text(offset) .. " " .. text(stamp) .. " " .. digest)
    end
  elseif before and not is_certain then
    outcome, offset = 4, 0
  else
    top, topid, offset = top + 1, id, top + 1
    local place = text(offset)
    if kept > 0 then
      call("XADD", KEYS[1], place .. "-0", "i", id, "t", time_text, "m", head)
    end
    if keyed then
      call("HSET", KEYS[3], id, place .. " " .. time_text .. " " .. digest)
    end
    if before then
      stored[id] = { top, time, head }
    end
    wires[#wires + 1] = ARGV[7] .. head .. '"id":"' .. id .. wire_middle .. place .. wire_end
  end
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = outcome, offset, stamp
end
if 2 * #wires == #ARGV - 10 then
  reply = { epoch, 1, before_first + 1, time }
end

call("HSET", KEYS[2], "epoch", epoch, "age", ARGV[4], "top", text(top), "topid", topid, "time", time_text, "rotated",
  text(rotated))
if kept > 0 then
  call("XTRIM", KEYS[1], "MAXLEN", "=", ARGV[3])
  call("PEXPIRE", KEYS[1], ARGV[4])
else
  call("DEL", KEYS[1])
end
call("PEXPIRE", KEYS[2], text(age + tonumber(ARGV[5])))
if is_keyed then
  -- The window before has its time from when it was the present one.
  call("PEXPIRE", KEYS[3], text(2 * window))
end

-- Sent only when all is stored: an error above must not leave members with a message that the log lacks.
for i = 1, #wires do
  call("SPUBLISH", ARGV[2], wires[i])
end
return reply
