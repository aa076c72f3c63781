-- Lists what is agreed of the next live records of an entity after $2, in their order: one at least, $3 at most, and no more once they hold
-- $4 bytes.
select id, agreed
from (
    select id, agreed, coalesce(sum(octet_length(agreed::text)) over (order by id rows between unbounded preceding and 1 preceding), 0) as before
    from (
        select id, agreed
        from record
        where entity = $1 and id > $2 and state = 'live'
        order by id
        limit $3
    ) as next
) as sized
where before < $4
order by id
