-- Forgets requests that were begun longer ago than $1 microseconds, $2 at most.
delete from repeatable
where ctid = any (array(
    select ctid
    from repeatable
    where began_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
    order by began_at
    limit $2
))
