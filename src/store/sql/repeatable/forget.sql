-- Gives the key of a request back that came to nothing, and changed nothing.
delete from repeatable
where caller = $1 and key = $2 and attempt = $3 and status is null and effect is null
