-- Counts a change of each of some sources, and forgets some that count no more.
with old as (
    delete from counted_change
    where id = any (array(
        select old.id
        from unnest($3::text[]) as changed (source)
        cross join lateral (
            select counted_change.id
            from counted_change
            where counted_change.entity = $1 and counted_change.source = changed.source
              and counted_change.at <= statement_timestamp() - $4::bigint * interval '1 microsecond'
            order by counted_change.at
            limit 100
        ) as old
    ))
)
insert into counted_change (entity, record, source)
select $1, $2, changed.source
from unnest($3::text[]) as changed (source)
