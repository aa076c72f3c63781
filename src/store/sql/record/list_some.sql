-- Lists some records of an entity in the order in which they are named, with the beginning of what is agreed, their links, and how many
-- conflicts and doubts each has; narrowed to a state $3 and to those that have a copy in $4.
select wanted.place, found.id, found.state, found.version, found.changed_at, left(found.agreed::text, 2000) as beginning,
       linked.sources, linked.keys, conflicting.conflicts, doubted.doubts
from unnest($2::bigint[], $5::bigint[]) as wanted (record, place)
cross join lateral (
    select record.id, record.state, record.version, record.changed_at, record.agreed
    from record
    where record.entity = $1 and record.id = wanted.record
    offset 0
) as found
cross join lateral (
    select coalesce(array_agg(link.source order by link.source), '{}') as sources,
           coalesce(array_agg(link.foreign_key order by link.source), '{}') as keys
    from link
    where link.entity = $1 and link.record = wanted.record and link.state = 'linked'
) as linked
cross join lateral (
    select count(*) as conflicts
    from conflict
    where conflict.entity = $1 and conflict.record = wanted.record and conflict.closed_at is null
) as conflicting
cross join lateral (
    select count(*) filter (where unsettled.state = 'in-doubt') as doubts
    from (
        select operation.state
        from operation
        where operation.entity = $1 and operation.record = wanted.record and operation.state in ('in-flight', 'open', 'in-doubt')
        offset 0
    ) as unsettled
) as doubted
where ($3::text is null or found.state = $3) and ($4::text is null or $4 = any (linked.sources))
order by wanted.place
limit $6
