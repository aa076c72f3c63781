-- Tells by which rules the match values of an entity are made, if all of its records have theirs.
select match_rules
from entity
where name = $1
