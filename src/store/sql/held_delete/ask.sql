-- Marks the held deletions of some sources, except those of one record, as asked for that are not so yet.
update held_delete
set is_asked = true
where id = any (array(
    select waiting.id
    from unnest($2::text[]) as wanted (source)
    cross join lateral (
        select held_delete.id
        from held_delete
        where held_delete.entity = $1 and held_delete.source = wanted.source and held_delete.approved_at is null
          and not held_delete.is_asked and held_delete.record <> $3
        offset 0
    ) as waiting
))
returning record
