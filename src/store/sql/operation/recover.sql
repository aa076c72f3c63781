-- Settles what was in flight of an entity as far as can be told, since its programs may have done their work, where they were
-- started; but for the records that the items $2 of looks under way are for.
update operation
set state = case when kind = 'create' and may_have_taken_effect then 'in-doubt' else 'open' end
where entity = $1 and state = 'in-flight'
  and record <> all (array(select work_item.record from work_item where work_item.id = any ($2) and work_item.record is not null))
