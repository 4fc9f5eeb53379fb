-- lane, now in ms, how many attempts may bring nothing, what is said when they did, from, to
-- → { how many are pending, those of them (in that part of the line) whose ticket is missing }
-- A job whose ticket nobody has locked is worked on by nobody: it is pending again, whatever its last worker thinks.
local lane, nowMs, most, abandoned, from, to = unpack(ARGV)

local function hasTicket(id)
  return redis.call('EXISTS', key(lane, id)) == 1
end

if from == '0' then
  for _, id in ipairs(redis.call('ZRANGE', key('in', lane, 'processing'), 0, -1)) do
    if redis.call('EXISTS', key(lane, id, 'lock')) == 0 then
      if number(id, 'fruitless') >= tonumber(most) then
        finish(id, 'failed', nowMs, 'sweep', abandoned)
      else
        toTheFront(id)
      end
      ringLease(id)
    end
  end
end

local ticketless = {}
for _, id in ipairs(redis.call('ZRANGE', key('in', lane, 'pending'), from, to)) do
  if not hasTicket(id) then
    table.insert(ticketless, id)
  end
end
return { redis.call('ZCARD', key('in', lane, 'pending')), ticketless }
