-- Takes all match values of an entity away, and with them by which rules they were made: others are in force now.
with forgotten as (
    update entity
    set match_rules = null
    where name = $1
)
delete from match_value
where entity = $1
