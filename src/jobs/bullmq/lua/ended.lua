-- time in ms, limit → records that ended before, oldest first
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('ended'), '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])) do
  table.insert(found, whole(id))
end
return found
