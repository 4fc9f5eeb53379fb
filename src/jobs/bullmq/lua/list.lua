-- a set's name, id of the last one seen or '', limit, state… → records, newest first
local set, before, limit = key(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local PAGE = 200

local wanted = {}
for n = 4, #ARGV do
  wanted[ARGV[n]] = true
end

local from = 0
if before ~= '' then
  local rank = redis.call('ZREVRANK', set, before)
  if not rank then
    return {}
  end
  from = rank + 1
end

local found = {}
while #found < limit do
  local ids = redis.call('ZREVRANGE', set, from, from + PAGE - 1)
  for _, id in ipairs(ids) do
    if #found < limit and (#ARGV < 4 or wanted[field(id, 'state')]) then
      table.insert(found, whole(id))
    end
  end
  if #ids < PAGE then
    break
  end
  from = from + PAGE
end
return found
