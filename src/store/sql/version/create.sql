-- Adds a version to a record's history.
insert into version (entity, record, version, cause, changes, conflicts, overruled, state)
values ($1, $2, $3, $4, $5, $6, $7, $8)
