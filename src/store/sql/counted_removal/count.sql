-- Counts a removal, and forgets some that count no more.
with old as (
    delete from counted_removal
    where id = any (array(
        select id
        from counted_removal
        where entity = $1 and at <= statement_timestamp() - $3::bigint * interval '1 microsecond'
        order by at
        limit 100
    ))
)
insert into counted_removal (entity, record) values ($1, $2)
