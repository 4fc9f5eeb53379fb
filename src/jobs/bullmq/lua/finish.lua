-- id, token, state, now in ms, key of the result or '', failure or '' → whether the lease was still held
local id, token, state, nowMs, resultKey, failure = unpack(ARGV)

if not holds(id, token) then
  return field(id, 'endedBy') == token and 1 or 0
end
if resultKey ~= '' then
  redis.call('HSET', record(id), 'resultKey', resultKey)
end
finish(id, state, nowMs, token, failure ~= '' and failure or nil)
return 1
