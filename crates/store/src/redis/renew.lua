-- KEYS: the lease. ARGV: the holder, milliseconds. Gives whether the lease was held by the holder, and is for longer.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
