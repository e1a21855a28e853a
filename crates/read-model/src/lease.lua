-- Takes, keeps, or gives back the lease, and tells how old the read model is.
--
-- KEYS: 1 lease, 2 as_of. ARGV: 1 who asks, 2 for how many milliseconds; 0 gives it back, 3 the new as_of, or
-- nothing. Answers 'ours' or 'theirs'.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {'theirs'}
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if ARGV[3] ~= '' then
    redis.call('SET', KEYS[2], ARGV[3])
  end
end
return {'ours'}
