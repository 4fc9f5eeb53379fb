-- lane/state… → how many there are of each
local counts = {}
for n = 1, #ARGV do
  counts[n] = redis.call('ZCARD', key('in', ARGV[n]))
end
return counts
