-- lane → whose turn it is, or nothing: the turn of whoever is first in the line of tickets, or nobody waits
-- Who comes back comes first; then the owner for whom the fewest jobs are worked on; then who was handed in first.
local lane = ARGV[1]

local best, bestBusy, bestScore
for _, owner in ipairs(redis.call('SMEMBERS', key('owners', lane))) do
  local first = redis.call('ZRANGE', key('line', lane, owner), 0, 0, 'WITHSCORES')
  if first[1] then
    local score = tonumber(first[2])
    local busy = score < 1 and -1 or tonumber(redis.call('HGET', key('busy', lane), owner) or '0')
    if not best or busy < bestBusy or (busy == bestBusy and score < bestScore) then
      best, bestBusy, bestScore = first[1], busy, score
    end
  else
    redis.call('SREM', key('owners', lane), owner)
  end
end
if not best or redis.call('LINDEX', key(lane, 'wait'), -1) == best then
  return false
end
return best
