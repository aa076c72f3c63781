-- Gives the pause of a source to its new name.
update pause
set source = $3
where entity = $1 and source = $2
  and not exists (select from pause as other where other.entity = $1 and other.source = $3)
