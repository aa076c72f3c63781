-- Keeps an entity's lease from changing hands while something is recorded under its fencing number. Ends in an error if another daemon
-- serves the entity by now.
select hold_lease($1, $2, $3)
