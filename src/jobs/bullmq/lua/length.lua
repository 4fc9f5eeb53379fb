-- id, token, seconds → whether the lease is still held
local id, token, seconds = unpack(ARGV)

if not holds(id, token) then
  return 0
end
redis.call('HSET', record(id), 'durationSeconds', seconds)
return 1
