-- Finds the live record that bears a match value, with its link to a source, and tells whether a look is at it now
-- (other than on behalf of the items $4).
select record.id, link.state as link,
       exists (
           select
           from work_item
           where work_item.entity = $1 and work_item.state = 'running' and work_item.record = record.id
             and work_item.id <> all ($4::bigint[])
       ) as busy
from record
left join link on link.entity = $1 and link.record = record.id and link.source = $3
where record.entity = $1 and record.state = 'live'
  and record.id = (select match_value.record from match_value where match_value.entity = $1 and match_value.value = $2)
