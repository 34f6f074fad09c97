-- KEYS: the lease. ARGV: the holder. Gives whether it was held by the holder, and is no longer.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
