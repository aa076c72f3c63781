-- Settles what looks that end without results have left in flight at their records, as recover.sql does for a dead daemon.
update operation
set state = case kind when 'create' then 'in-doubt' else 'open' end, may_have_taken_effect = true
where entity = $1 and state = 'in-flight' and record in (
    select work_item.record
    from work_item
    where work_item.id = any ($2) and work_item.state = 'running'
)
