-- Gives the writes to a source, those that are over included, to its new name.
update operation
set source = $3
where entity = $1 and source = $2
