-- Takes match values of an entity away, $2 at most, which were made by other rules than are in force now; a row for each.
with turn as materialized (
    -- They change hands one transaction after the other.
    select pg_advisory_xact_lock(1835103075, hashtext($1))
)
delete from match_value
where entity = $1
  and value = any (array(select value from match_value where entity = $1 limit $2))
  and (select count(*) from turn) >= 0
returning value
