-- Gives the links of a source to its new name.
update link
set source = $3
where entity = $1 and source = $2
