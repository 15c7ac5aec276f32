-- Sends a message that is not kept to a room's channel, with the time of the store's clock.
-- KEYS[1] meta (see append.lua)
-- ARGV[1] channel
-- ARGV[2] wire text before the packet
-- ARGV[3] wire text after the packet
-- ARGV[4] id
-- ARGV[5] head
-- Returns how many subscribers it was sent to

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local time = math.max(now, tonumber(redis.call("HGET", KEYS[1], "time") or "0"))
local tail = '"id":"' .. ARGV[4] .. '","ephemeral":true,"time":' .. string.format("%.0f", time) .. "}]"
return redis.call("SPUBLISH", ARGV[1], ARGV[2] .. ARGV[5] .. tail .. ARGV[3])
