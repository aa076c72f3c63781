-- Lists those of some keys that are the copies of other records: a copy belongs to one record.
select distinct link.source, link.foreign_key, link.record
from unnest($3::text[], $4::text[]) as wanted (source, foreign_key)
join link on link.entity = $1 and link.source = wanted.source and link.foreign_key = wanted.foreign_key
where link.state = 'linked' and link.record <> $2
