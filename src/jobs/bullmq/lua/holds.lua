-- id, token → whether the lease is still held
return holds(ARGV[1], ARGV[2]) and 1 or 0
