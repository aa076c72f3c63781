-- Ends a pause, if there is one.
delete from pause
where entity = $1 and source = $2
