-- Records what came of an act, once.
update audit
set status = $2, code = $3, ended_at = clock_timestamp()
where id = $1 and ended_at is null
