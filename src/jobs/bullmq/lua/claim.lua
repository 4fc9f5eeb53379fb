-- id, token, now in ms, how many attempts may bring nothing, what is said when they did → record, or nothing: drop the ticket
local id, token, nowMs, most, abandoned = unpack(ARGV)

if holds(id, token) then
  return whole(id)
end
local state = field(id, 'state')
if state ~= 'pending' and state ~= 'processing' then
  return false
end
-- Its ticket is in our hands, so whoever worked on it was taken for dead.
if state == 'processing' then
  toTheFront(id)
  ringLease(id)
end
if number(id, 'fruitless') >= tonumber(most) then
  finish(id, 'failed', nowMs, token, abandoned)
  return false
end
redis.call('HSET', record(id), 'token', token)
redis.call('HSETNX', record(id), 'startedAtMs', nowMs)
redis.call('HINCRBY', record(id), 'attempts', 1)
redis.call('HINCRBY', record(id), 'fruitless', 1)
move(id, 'processing', nowMs)
tellState(id, 'processing')
return whole(id)
