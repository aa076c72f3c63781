-- Tells of a removal that rests on the absence of copies at $3 whether a person has approved it, whether it waits for one, and
-- how many count in the last $4 microseconds: $5 at most, more do not matter.
select exists (
           select
           from held_delete
           where entity = $1 and record = $2 and source = any ($3) and approved_at is not null
       ) as is_approved,
       exists (
           select
           from held_delete
           where entity = $1 and record = $2 and source = any ($3) and approved_at is null
       ) as is_held,
       (
           select count(*)
           from (
               select
               from counted_removal
               where entity = $1 and at > statement_timestamp() - $4::bigint * interval '1 microsecond'
               limit $5
           ) as recent
       ) as counted
