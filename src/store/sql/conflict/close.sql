-- Closes conflicts, and tells by what.
update conflict
set closed_at = clock_timestamp(), closed_by = $2
where id = any ($1)
