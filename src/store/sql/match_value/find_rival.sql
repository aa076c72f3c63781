-- Finds another live record that bears a match value and has a live copy in a source.
select match_value.record
from match_value
join record on record.entity = $1 and record.id = match_value.record
join link on link.entity = $1 and link.record = record.id and link.source = $4
where match_value.entity = $1 and match_value.value = $3 and match_value.record <> $2
  and record.state = 'live' and link.state = 'linked'
