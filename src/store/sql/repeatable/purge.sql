-- Forgets requests that were begun longer ago than $1 microseconds.
delete from repeatable
where (caller, key) in (
    select caller, key
    from repeatable
    where began_at < clock_timestamp() - $1::bigint * interval '1 microsecond'
    order by began_at
    limit $2
)
