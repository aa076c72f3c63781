-- Gives the deletions that are held because copies of a source are missing to its new name.
update held_delete
set source = $3
where entity = $1 and source = $2
