-- Puts or deletes a value, if the version that was seen is there.
-- KEYS: the value, the names of the namespace, when they end, the last version.
-- ARGV: name, channel, 'any' or 'seen', the version seen, then 'put', bytes and milliseconds (0: no end), or 'delete'.
-- Gives the version and whether there was a value, or nothing where another version is there.
local value, names, ends = KEYS[1], KEYS[2], KEYS[3]
local name = ARGV[1]
-- What somebody else wrote, as something else than a store does, is no version.
local kind = redis.call('TYPE', value).ok
if ARGV[3] == 'seen' and kind ~= 'hash' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE another program wrote this')
end
local there = kind == 'hash' and redis.call('HGET', value, 'v') or ''
if ARGV[3] == 'seen' and there ~= ARGV[4] then
  return false
end

local version = '0'
if ARGV[5] == 'put' then
  version = next_version(KEYS[4])
  redis.call('DEL', value)
  redis.call('HSET', value, 'v', version, 'b', ARGV[6])
  redis.call('ZADD', names, 0, name)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if ARGV[7] ~= '0' then
    redis.call('PEXPIRE', value, ARGV[7])
    redis.call('ZADD', ends, string.format('%.0f', now + ARGV[7]), name)
  else
    redis.call('ZREM', ends, name)
  end
  -- Names whose values have ended go, a few with each change.
  local gone = redis.call('ZRANGEBYSCORE', ends, '-inf', string.format('%.0f', now - 1000), 'LIMIT', 0, 16)
  for _, each in ipairs(gone) do
    redis.call('ZREM', names, each)
    redis.call('ZREM', ends, each)
  end
else
  -- First of all, as a server without memory lets nothing be counted before there is room again.
  redis.call('DEL', value)
  redis.call('ZREM', names, name)
  redis.call('ZREM', ends, name)
  if ARGV[3] == 'seen' then
    version = next_version(KEYS[4])
  end
end

local existed = there ~= '' and 1 or 0
if ARGV[5] == 'put' or existed == 1 then
  redis.call('PUBLISH', ARGV[2], name)
end
return { version, existed }
