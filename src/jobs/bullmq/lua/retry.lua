-- id, call → record, or nothing: there is none, or nothing to try again
local id, call = unpack(ARGV)

if field(id, 'retriedBy') == call then
  return whole(id)
end
local state = field(id, 'state')
if state ~= 'failed' and state ~= 'cancelled' then
  return false
end
redis.call('HSET', record(id), 'retriedBy', call, 'fruitless', 0)
redis.call('HDEL', record(id), 'failure', 'endedAtMs', 'endedBy')
redis.call('ZREM', key('ended'), id)
move(id, 'pending', field(id, 'sequence'))
tellState(id, 'pending')
return whole(id)
