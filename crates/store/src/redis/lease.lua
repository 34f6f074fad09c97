-- Takes a lease that nobody holds.
-- KEYS: the lease, the last version. ARGV: milliseconds. Gives the holder, or nothing where somebody holds it.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local holder = next_version(KEYS[2])
redis.call('SET', KEYS[1], holder, 'PX', ARGV[1])
return holder
