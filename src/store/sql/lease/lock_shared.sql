-- Keeps an entity's lease from changing hands while something is recorded under its fencing number; others may record
-- beside it. In memory alone: it writes no row.
select pg_advisory_xact_lock_shared(1919251555, hashtext($1))
