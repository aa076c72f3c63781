-- Records that a person has approved the deletions of an entity that wait, up to the number $2: all of them, or none if they are more than
-- $3, which is how many there were when the person counted.
update held_delete
set approved_at = clock_timestamp()
where entity = $1 and approved_at is null and id > 0 and id <= $2
  and (
      select count(*)
      from held_delete as counted
      where counted.entity = $1 and counted.approved_at is null and counted.id > 0 and counted.id <= $2
  ) <= $3
returning record
