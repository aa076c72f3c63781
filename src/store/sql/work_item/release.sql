-- Makes items due that wait for a source, those first that have waited longest; few enough at a time that others can
-- use the queue in between. They are locked in the order in which notifications lock them, so that neither waits for the other for ever.
with chosen as materialized (
    select id
    from work_item
    where entity = $1 and blocked_by <> '{}' and $2 = any (blocked_by)
    order by id
    limit $3
),
locked as materialized (
    select id
    from work_item
    where id = any (array(select id from chosen)) and $2 = any (blocked_by)
    order by source collate "C", foreign_key collate "C", record, id
    for update
),
released as (
    update work_item
    set due_at = clock_timestamp(), blocked_by = '{}'
    where id = any (array(select id from locked))
    returning id
)
select (select count(*) from chosen) as chosen, (select count(*) from released) as released
