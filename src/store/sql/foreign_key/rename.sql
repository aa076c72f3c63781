-- Gives the keys of a source, those that its copies had before included, to its new name.
update foreign_key
set source = $3
where entity = $1 and source = $2
