-- Ends in an error where there is more to be considered than looks that recalled their records have: one of the records $2 has another
-- version than that of $3, or an open conflict; or one of $4 has a copy in the source of $5; or a key of $8 at the source of $7 is the copy
-- of another record than that of $6; or of the items $10 of a record of $9, under the claims of $11, none is running any more. A null version
-- stands for any, with or without conflicts.
select not_plain()
where exists (
        select
        from unnest($2::bigint[], $3::bigint[]) as expected (record, version)
        where expected.version is not null and (
            (select version from record where entity = $1 and id = expected.record) is distinct from expected.version
            or (
                select count(*)
                from conflict
                where conflict.entity = $1 and conflict.record = expected.record and conflict.closed_at is null
            ) > 0
        )
    )
   or exists (
       select
       from unnest($4::bigint[], $5::text[]) as created (record, source)
       cross join lateral (
           select link.state
           from link
           where link.entity = $1 and link.record = created.record and link.source = created.source
           offset 0
       ) as copy
       where copy.state = 'linked'
   )
   or exists (
       select
       from unnest($6::bigint[], $7::text[], $8::text[]) as wanted (record, source, foreign_key)
       left join lateral (
           select link.foreign_key
           from link
           where link.entity = $1 and link.record = wanted.record and link.source = wanted.source
           offset 0
       ) as borne on true
       cross join lateral (
           -- A key that the record bears is borne by no other, and not looked for among the keys of all.
           select link.record
           from link
           where link.entity = $1 and link.source = wanted.source and link.foreign_key = wanted.foreign_key
             and borne.foreign_key is distinct from wanted.foreign_key
           offset 0
       ) as holder
       where holder.record <> wanted.record
   )
   or exists (
       select
       from unnest($9::bigint[], $10::bigint[], $11::bigint[]) as claimed (record, id, claim)
       left join lateral (
           select work_item.state, work_item.claims
           from work_item
           where work_item.id = claimed.id
           offset 0
       ) as item on true
       group by claimed.record
       having count(*) filter (where item.state = 'running' and item.claims = claimed.claim) = 0
   )
