-- id, order, lane, whose jobs (a set's name, or ''), idempotency (a field's name, or ''), created at in ms, call
-- → { is new, record }
local id, order, lane, owner, idempotency, createdAtMs, call = unpack(ARGV)

if idempotency ~= '' then
  local earlier = redis.call('HGET', key('idempotency'), idempotency)
  if earlier and earlier ~= id then
    return { 0, whole(earlier) }
  end
end
if redis.call('EXISTS', record(id)) == 1 then
  return { field(id, 'addedBy') == call and 1 or 0, whole(id) }
end

local sequence = redis.call('INCR', key('sequence'))
redis.call('HSET', record(id), 'order', order, 'lane', lane, 'owner', owner, 'idempotency', idempotency,
  'attempts', 0, 'fruitless', 0, 'sequence', sequence, 'addedBy', call)
redis.call('ZADD', key('jobs'), createdAtMs, id)
if owner ~= '' then
  redis.call('ZADD', key(owner), createdAtMs, id)
end
if idempotency ~= '' then
  redis.call('HSET', key('idempotency'), idempotency, id)
end
move(id, 'pending', sequence)
tellState(id, 'pending')
return { 1, whole(id) }
