-- Tells what a request has changed, for who carries it out; gives no row if somebody else does by now, or has.
update repeatable
set effect = $4
where caller = $1 and key = $2 and attempt = $3 and status is null and effect is null
