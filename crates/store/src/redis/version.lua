-- Gives the next version. The first is the server's time in microseconds, so that what comes after a server lost all
-- it had begins beyond what it gave before. As text: numbers lose their last digits on the way out.
local function next_version(key)
  if redis.call('EXISTS', key) == 0 then
    local time = redis.call('TIME')
    redis.call('SET', key, time[1] .. string.format('%06d', time[2]))
  end
  redis.call('INCR', key)
  return redis.call('GET', key)
end
