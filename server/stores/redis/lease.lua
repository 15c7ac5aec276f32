-- Takes a lease that nobody holds, renews one's own, or gives it back.
-- KEYS[1] lease
-- ARGV[1] who asks
-- ARGV[2] how long it lasts, in ms; 0 gives it back
-- Returns 1 if it was or is now held by who asks, 0 if somebody else holds it

local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if ARGV[2] == "0" then
  redis.call("DEL", KEYS[1])
else
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
end
return 1
