-- Gives the changes that count against a source's limit to its new name.
update counted_change
set source = $3
where entity = $1 and source = $2
