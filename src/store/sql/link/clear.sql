-- Removes the links of a name under which no copy is known: they hold nothing.
delete from link
where entity = $1 and source = $2
