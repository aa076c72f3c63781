-- Takes all match values of an entity away, and with them by which rules they were made: others are in force now.
delete from match_value
where entity = $1
