-- Serializes the migrations of daemons that start at once, until the transaction ends.
select pg_advisory_xact_lock($1)
