-- Lists an entity's records by internal key, with their links and how many open conflicts each has.
select record.id, record.state, record.version, record.agreed, linked.sources, linked.keys, conflicting.conflicts
from record
cross join lateral (
    select coalesce(array_agg(link.source order by link.source), '{}') as sources,
           coalesce(array_agg(link.foreign_key order by link.source), '{}') as keys
    from link
    where link.entity = $1 and link.record = record.id and link.state = 'linked'
) as linked
cross join lateral (
    select count(*) as conflicts
    from conflict
    where conflict.entity = $1 and conflict.record = record.id and conflict.closed_at is null
) as conflicting
where record.entity = $1 and record.id > $2
order by record.id
limit $3
