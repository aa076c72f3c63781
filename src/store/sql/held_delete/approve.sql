-- Records that a person has approved all deletions of an entity that wait now.
update held_delete
set approved_at = clock_timestamp()
where entity = $1 and approved_at is null and id > 0
returning record
