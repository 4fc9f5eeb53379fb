-- id, token → whether the lease was still held
local id, token = unpack(ARGV)

if not holds(id, token) then
  return 0
end
toTheFront(id)
redis.call('HINCRBY', record(id), 'attempts', -1)
-- A window that it finished has set this to nothing.
if number(id, 'fruitless') > 0 then
  redis.call('HINCRBY', record(id), 'fruitless', -1)
end
return 1
