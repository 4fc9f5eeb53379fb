-- id, token, call, event, seconds heard, seconds there are → whether the lease is still held
local id, token, call, event, processed, duration = unpack(ARGV)

if not holds(id, token) then
  return 0
end
if field(id, 'call') == call then
  return 1
end
redis.call('HSET', record(id), 'call', call, 'processedSeconds', processed, 'durationSeconds', duration, 'fruitless', 0)
tell(id, event)
return 1
