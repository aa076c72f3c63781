-- Ends a session.
delete from session where hash = $1
