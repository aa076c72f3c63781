-- Lists the records that have or had a key in a source, as list.sql does.
select found.id, found.state, found.version, found.agreed, linked.sources, linked.keys, conflicting.conflicts
from foreign_key as wanted
cross join lateral (
    select record.id, record.state, record.version, record.agreed
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
where wanted.entity = $1 and wanted.source = $4 and wanted.key = $5 and wanted.record > $2
order by wanted.record
limit $3
