-- KEYS: the names of the namespace, when they end. ARGV: what its values' keys begin with, from, to, how many.
-- Gives those whose values are there, and the last that was looked at where there may be more. Names whose values have
-- ended, or were driven out by the server, go.
local found = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local live = {}
for _, name in ipairs(found) do
  if redis.call('EXISTS', ARGV[1] .. name) == 1 then
    live[#live + 1] = name
  else
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
  end
end
local last = false
if #found == tonumber(ARGV[4]) then
  last = found[#found]
end
return { live, last }
