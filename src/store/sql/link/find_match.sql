-- Finds the live record that bears a match value, with its link to a source, and with the write to its copy there that is not
-- settled, if there is one.
select record.id, link.state as link, unsettled.number as unsettled, unsettled.state as unsettled_state
from record
left join link on link.entity = $1 and link.record = record.id and link.source = $3
left join lateral (
    select operation.number, operation.state
    from operation
    where operation.entity = $1 and operation.record = record.id and operation.source = $3
      and operation.state in ('in-flight', 'open', 'in-doubt')
    offset 0
) as unsettled on true
where record.entity = $1 and record.state = 'live'
  and record.id = (select match_value.record from match_value where match_value.entity = $1 and match_value.value = $2)
