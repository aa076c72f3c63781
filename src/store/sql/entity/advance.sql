-- Records that an internal key is assigned; the entity is locked.
update entity
set last_internal_key = $2
where name = $1
