-- Says of two names of a source whether anything is known of copies there: keys, or writes that may have made a copy; of the present
-- name also deletions that are owed: they are of copies of another system, which had that name before.
select (select key from foreign_key where entity = $1 and source = $2 order by key limit 1) is not null
           or exists (
               select from operation
               where entity = $1 and source = $2 and state in ('in-flight', 'open', 'in-doubt') and kind <> 'delete'
           ) as former,
       (select key from foreign_key where entity = $1 and source = $3 order by key limit 1) is not null
           or exists (
               select from operation
               where entity = $1 and source = $3 and state in ('in-flight', 'open', 'in-doubt')
           ) as present
