-- Lists the creates and updates at a source whose end is not known, be they in doubt or to be tried again, that may have made
-- the copy for which the items $3 were asked for: those recorded before they were, for the last time.
select id, number, record, kind, state, foreign_key, document, carries, version, attempts, may_have_taken_effect
from operation
where entity = $1 and source = $2 and kind in ('create', 'update')
  and (state = 'in-doubt' or state = 'open' and may_have_taken_effect)
  and created_at <= (
      select coalesce(max(work_item.asked_at), statement_timestamp())
      from work_item
      where work_item.id = any ($3)
  )
order by created_at
