-- Gives the key of a request back that came to nothing.
delete from repeatable
where caller = $1 and key = $2 and status is null
