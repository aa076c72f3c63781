-- Settles what looks that end without results have left in flight at the records of their items $2, under the claims of $3, as recover.sql
-- does for a dead daemon.
update operation
set state = case when kind = 'create' and may_have_taken_effect then 'in-doubt' else 'open' end
where operation.id = any (array(
    select unended.id
    from unnest($2::bigint[], $3::bigint[]) as claimed (id, claim)
    cross join lateral (
        select work_item.record, work_item.state, work_item.claims
        from work_item
        where work_item.id = claimed.id
        offset 0
    ) as item
    cross join lateral (
        select operation.id
        from operation
        where operation.entity = $1 and operation.record = item.record and operation.state = 'in-flight'
        offset 0
    ) as unended
    where item.state = 'running' and item.claims = claimed.claim
))
returning operation.id
