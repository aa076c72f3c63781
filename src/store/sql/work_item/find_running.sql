-- Tells whether any of a look's items $1 is still under its claim of $2. If none is, what it records has been recorded before.
select exists (
    select
    from unnest($1::bigint[], $2::bigint[]) as claimed (id, claim)
    cross join lateral (
        select state, claims
        from work_item
        where work_item.id = claimed.id
        offset 0
    ) as item
    where item.state = 'running' and item.claims = claimed.claim
) as running
