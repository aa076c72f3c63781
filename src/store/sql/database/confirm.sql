-- Commits, and changes nothing: a commit waits until all that was written before it is safe.
select pg_logical_emit_message(true, 'retcon', '')
