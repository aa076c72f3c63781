-- Ends in an error where there is more to be considered than a look that recalled a record has: it has another version than $3, or an
-- open conflict, or a copy in one of the sources $4, or one of the keys $6 at $5 is another record's copy, or none of the items $7
-- is claimed any more. Null stands for any version, with or without conflicts.
select not_plain()
where $3::bigint is not null and (
          (select version from record where entity = $1 and id = $2) is distinct from $3
          or exists (select from conflict where entity = $1 and record = $2 and closed_at is null)
      )
   or exists (
       select
       from (select state from link where entity = $1 and record = $2 and source = any ($4::text[]) offset 0) as copy
       where copy.state = 'linked'
   )
   or exists (
       select
       from unnest($5::text[], $6::text[]) as wanted (source, foreign_key)
       cross join lateral (
           select link.record
           from link
           where link.entity = $1 and link.source = wanted.source and link.foreign_key = wanted.foreign_key
           offset 0
       ) as holder
       where holder.record <> $2
   )
   or cardinality($7::bigint[]) > 0 and not exists (select from work_item where id = any ($7) and state = 'running')
