-- Before every script: what the keys are called, and the steps that several verbs share. KEYS[1] is our prefix.
-- A job's record is a hash, its events are a list, so an event's number is its length. Sorted sets say who is in which
-- state of which lane (pending: in the order of the line), who was handed in when, and who ended when. For the fair turn
-- there is a line of each owner's own, and a count of what is worked on for each.
-- Where a script makes anything larger, its first write is one that Redis refuses when its memory is full: half is never written.

local prefix = KEYS[1]

local function key(...)
  return prefix .. ':' .. table.concat({ ... }, ':')
end

local function record(id)
  return key('job', id)
end

local function field(id, name)
  return redis.call('HGET', record(id), name)
end

local function number(id, name)
  return tonumber(field(id, name) or '0')
end

local function whole(id)
  return redis.call('HGETALL', record(id))
end

local function ring(topic)
  redis.call('PUBLISH', key('news'), topic)
end

local function tell(id, event)
  redis.call('RPUSH', key('events', id), event)
  ring('job:' .. id)
end

local function tellState(id, state, failure)
  local more = ''
  if failure then
    more = ',"failure":' .. failure
  end
  tell(id, '{"kind":"state","state":"' .. state .. '"' .. more .. '}')
end

local function enterOrLeave(id, lane, owner, state, score)
  if state == 'pending' and score then
    redis.call('ZADD', key('line', lane, owner), score, id)
    redis.call('SADD', key('owners', lane), owner)
  elseif state == 'pending' then
    redis.call('ZREM', key('line', lane, owner), id)
  elseif state == 'processing' then
    redis.call('HINCRBY', key('busy', lane), owner, score and 1 or -1)
  end
end

-- Out of the state that it is in, if any.
local function leave(id)
  local lane, owner, state = unpack(redis.call('HMGET', record(id), 'lane', 'owner', 'state'))
  if state then
    redis.call('ZREM', key('in', lane, state), id)
    enterOrLeave(id, lane, owner, state, nil)
  end
end

local function move(id, state, score)
  local lane, owner, before = unpack(redis.call('HMGET', record(id), 'lane', 'owner', 'state'))
  redis.call('ZADD', key('in', lane, state), score, id)
  if before ~= state then
    leave(id)
  end
  redis.call('HSET', record(id), 'state', state)
  enterOrLeave(id, lane, owner, state, score)
end

local function holds(id, token)
  return field(id, 'token') == token
end

local function hasEnded(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- `by` is the lease or the call that ended it: the same may ask again when the answer was lost on the way.
local function finish(id, state, nowMs, by, failure)
  move(id, state, nowMs)
  redis.call('HSET', record(id), 'endedAtMs', nowMs, 'endedBy', by)
  if failure then
    redis.call('HSET', record(id), 'failure', failure)
  end
  redis.call('HDEL', record(id), 'token')
  redis.call('ZADD', key('ended'), nowMs, id)
  tellState(id, state, failure)
end

-- Pending again, before all others of its lane: those who were handed in count from 1 up, those who come back from 0 down.
local function toTheFront(id)
  local lane = field(id, 'lane')
  local first = redis.call('ZRANGE', key('in', lane, 'pending'), 0, 0, 'WITHSCORES')
  move(id, 'pending', math.min(tonumber(first[2] or '1'), 1) - 1)
  redis.call('HDEL', record(id), 'token')
  tellState(id, 'pending')
end

-- Whoever held the lease of a job is told to look whether it still does.
local function ringLease(id)
  ring('lease:' .. id)
end

