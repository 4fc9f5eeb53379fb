-- id, now in ms, call → { whether it is this call that cancelled, record }, or nothing: there is none
local id, nowMs, call = unpack(ARGV)

local state = field(id, 'state')
if not state then
  return false
end
if hasEnded(state) then
  return { field(id, 'endedBy') == call and 1 or 0, whole(id) }
end
finish(id, 'cancelled', nowMs, call)
ringLease(id)
return { 1, whole(id) }
