-- Has what is counted against an entity's limits counted by one at a time, until the transaction ends: so that none is let
-- through beyond the limit. The lock of the entity's row is taken before those of records elsewhere, and would be after them here.
select pg_advisory_xact_lock(1819110772, hashtext($1))
