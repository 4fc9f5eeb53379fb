-- id → its lane, or nothing: there is none
local id = ARGV[1]

local known = redis.call('HMGET', record(id), 'lane', 'state', 'owner', 'idempotency')
local lane, state, owner, idempotency = unpack(known)
if not state then
  return false
end
leave(id)
redis.call('ZREM', key('jobs'), id)
redis.call('ZREM', key('ended'), id)
if owner ~= '' then
  redis.call('ZREM', key(owner), id)
end
if idempotency ~= '' and redis.call('HGET', key('idempotency'), idempotency) == id then
  redis.call('HDEL', key('idempotency'), idempotency)
end
-- Thousands of windows: freed beside the commands that follow, not before them.
redis.call('UNLINK', record(id), key('events', id))
ring('job:' .. id)
ringLease(id)
return lane
