-- Tells whether a look's items are still claimed. If none is, what it records has been recorded before.
select exists (
    select
    from work_item
    where id = any ($1) and state = 'running'
) as running
