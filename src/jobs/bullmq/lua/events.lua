-- id, number of the last one seen, limit → { state or nothing: there is no such job, events }
local id, after, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
return { field(id, 'state'), redis.call('LRANGE', key('events', id), after, after + limit - 1) }
