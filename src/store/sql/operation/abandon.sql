-- Settles what looks that end without results have left in flight at their records, as recover.sql does for a dead daemon.
update operation
set state = case when kind = 'create' and may_have_taken_effect then 'in-doubt' else 'open' end
where operation.id = any (array(
    select unended.id
    from work_item
    cross join lateral (
        select operation.id
        from operation
        where operation.entity = $1 and operation.record = work_item.record and operation.state = 'in-flight'
        offset 0
    ) as unended
    where work_item.id = any ($2) and work_item.state = 'running'
))
returning operation.id
