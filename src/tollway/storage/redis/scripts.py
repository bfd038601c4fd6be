"""The scripts of `windows.py`: each decision is one of them, which Redis runs whole before it looks at anything else.

Keys of one limiting key, whose name is in braces so that a cluster keeps them together. All of them expire by
themselves once everything in them is past:
  tollway:free:{<key>}:hosted     sorted set: request id → when it was logged, in milliseconds
  tollway:free:{<key>}:held       sorted set: request id → when its place ends, in milliseconds
  tollway:free:{<key>}:promotion  hash: minute since 1970 → entries; `total` of all, `first` minute that may be there

The instants are Redis' own (a negative `now` asks for that): a worker with a wrong clock would forget everybody's
entries, and two that differ would count two different hours. Answers: {0, 0} for yes; {1, ms} no, the hosted window is
full and its next place comes free in `ms`; {2, ms} the same for the promotion window.
"""

from typing import Final

_COMMON: Final = """
local hosted, held, promotion = KEYS[1], KEYS[2], KEYS[3]
local now, hold_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local hosted_most, hosted_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local promotion_most, promotion_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local request, is_anonymous = ARGV[7], ARGV[8] == '1'
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function used_of_hosted()
  redis.call('ZREMRANGEBYSCORE', hosted, '-inf', '(' .. (now - hosted_ms))
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
  return redis.call('ZCARD', hosted) + redis.call('ZCARD', held)
end

local function hosted_is_full()
  local at = now + hosted_ms
  local entry = redis.call('ZRANGE', hosted, 0, 0, 'WITHSCORES')
  if entry[2] then at = math.min(at, tonumber(entry[2]) + hosted_ms + 1) end
  local place = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
  if place[2] then at = math.min(at, tonumber(place[2])) end
  return {1, at - now}
end

-- How many are in the promotion window, and the first minute that may have some.
local function used_of_promotion()
  local total = tonumber(redis.call('HGET', promotion, 'total') or 0)
  if total == 0 then return 0, math.floor(now / 60000) end
  local first = tonumber(redis.call('HGET', promotion, 'first'))
  local kept = math.floor((now - promotion_ms) / 60000)
  if first >= kept then return total, first end
  while first < kept and total > 0 do
    local count = redis.call('HGET', promotion, first)
    if count then
      total = total - tonumber(count)
      redis.call('HDEL', promotion, first)
    end
    first = first + 1
  end
  if total == 0 then
    redis.call('DEL', promotion)
    return 0, math.floor(now / 60000)
  end
  redis.call('HSET', promotion, 'total', total, 'first', first)
  return total, first
end

local function promotion_is_full(used, first)
  if used == 0 then return {2, promotion_ms} end
  while redis.call('HEXISTS', promotion, first) == 0 do first = first + 1 end
  return {2, (first + 1) * 60000 + promotion_ms - now}
end
"""

RESERVE: Final = (
    _COMMON
    + """
local used = used_of_hosted()
if redis.call('ZSCORE', held, request) then return {0, 0} end
if used >= hosted_most then return hosted_is_full() end
redis.call('ZADD', held, now + hold_ms, request)
redis.call('PEXPIRE', held, hold_ms + 1000)
return {0, 0}
"""
)

CHECK: Final = (
    _COMMON
    + """
local used, first = used_of_promotion()
if used >= promotion_most then return promotion_is_full(used, first) end
return {0, 0}
"""
)

COMMIT: Final = (
    _COMMON
    + """
local used = used_of_hosted()
local had_place = redis.call('ZREM', held, request) == 1
local count, first
if is_anonymous then
  count, first = used_of_promotion()
  if count >= promotion_most then return promotion_is_full(count, first) end
end
if not had_place and used >= hosted_most then return hosted_is_full() end
redis.call('ZADD', hosted, now, request)
redis.call('PEXPIRE', hosted, hosted_ms + 1000)
if is_anonymous then
  local minute = math.max(math.floor(now / 60000), first)
  redis.call('HINCRBY', promotion, minute, 1)
  redis.call('HSET', promotion, 'total', count + 1, 'first', first)
  redis.call('PEXPIRE', promotion, promotion_ms + 61000)
end
return {0, 0}
"""
)

RELEASE: Final = (
    _COMMON
    + """
redis.call('ZREM', held, request)
return {0, 0}
"""
)
