-- Settles what was in flight of an entity as far as can be told, since its programs may have done their work; but for the records
-- that the items $2 of looks under way are for.
update operation
set state = case kind when 'create' then 'in-doubt' else 'open' end, may_have_taken_effect = true
where entity = $1 and state = 'in-flight'
  and record <> all (array(select work_item.record from work_item where work_item.id = any ($2) and work_item.record is not null))
