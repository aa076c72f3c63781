-- Locks the live record that bears a match value, so that what a look at it decides comes wholly before or wholly after what
-- is found of it next.
select record.id
from record
where record.entity = $1 and record.state = 'live'
  and record.id = (select match_value.record from match_value where match_value.entity = $1 and match_value.value = $2)
for no key update of record
