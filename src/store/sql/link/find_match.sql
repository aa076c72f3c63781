-- Finds the live record that bears a match value, with its link to a source, and tells whether a write to its copy there is
-- not settled.
select record.id, link.state as link,
       exists (
           select
           from operation
           where operation.entity = $1 and operation.record = record.id and operation.source = $3
             and operation.state in ('in-flight', 'open', 'in-doubt')
       ) as unsettled
from record
left join link on link.entity = $1 and link.record = record.id and link.source = $3
where record.entity = $1 and record.state = 'live'
  and record.id = (select match_value.record from match_value where match_value.entity = $1 and match_value.value = $2)
