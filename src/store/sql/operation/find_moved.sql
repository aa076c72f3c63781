-- Tells whether one of the doubts $3 was settled (and perhaps removed since), or a create or update that may have made the copy
-- of the items $4 is in flight (again).
select (
    select count(*)
    from (
        select state
        from operation
        where id = any ($3::uuid[])
        offset 0
    ) as doubt
    where state in ('in-flight', 'open', 'in-doubt')
) < cardinality($3::uuid[]) or exists (
    select
    from operation
    where entity = $1 and source = $2 and state = 'in-flight' and kind in ('create', 'update')
      and created_at <= (
          select coalesce(max(work_item.asked_at), statement_timestamp())
          from work_item
          where work_item.id = any ($4)
      )
) as moved
