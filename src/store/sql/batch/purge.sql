-- Removes batches that are older than what is kept, and of whose orders none is remembered.
delete from batch
where id = any (array(
    select old.id
    from (
        select batch.id
        from batch
        where batch.at < statement_timestamp() - $1::bigint * interval '1 microsecond'
        order by batch.at
        limit $2
    ) as old
    where not exists (
        select
        from work_item
        where work_item.batch = old.id
        offset 0
    )
))
