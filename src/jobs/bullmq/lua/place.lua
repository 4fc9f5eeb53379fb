-- id → how many are before it in its line, or nothing: it is not pending
local lane = field(ARGV[1], 'lane')
if not lane then
  return false
end
return redis.call('ZRANK', key('in', lane, 'pending'), ARGV[1])
