-- Takes deletions from the list: their copies show again, or are gone for good.
delete from held_delete
where entity = $1 and record = $2 and source = any ($3)
