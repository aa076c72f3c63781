-- Records the next version of a record.
update record
set state = $3, version = $4, agreed = $5, changed_at = clock_timestamp()
where entity = $1 and id = $2
