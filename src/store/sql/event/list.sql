-- Lists events after the number $1 and up to $2, of an entity and of some kinds where these are given, by number.
select number, at, kind, entity, source, record, details
from event
where number > $1 and number <= $2 and ($3::text is null or entity = $3) and ($4::text[] is null or kind = any ($4))
order by number
limit $5
