-- Finds another live record that bears a match value and has a live copy in a source.
with bearer as materialized (
    select record
    from match_value
    where entity = $1 and value = $3 and record <> $2
)
select record.id
from record
where record.entity = $1 and record.id = (select bearer.record from bearer) and record.state = 'live'
  and exists (
      select
      from link
      where link.entity = $1 and link.record = (select bearer.record from bearer) and link.source = $4
        and link.state = 'linked'
  )
