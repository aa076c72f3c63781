-- Lists those of some keys that are the copies of other records: a copy belongs to one record.
select distinct wanted.source, wanted.foreign_key, holder.record
from unnest($3::text[], $4::text[]) as wanted (source, foreign_key)
cross join lateral (
    select link.record
    from link
    where link.entity = $1 and link.source = wanted.source and link.foreign_key = wanted.foreign_key
    offset 0
) as holder
where holder.record <> $2
