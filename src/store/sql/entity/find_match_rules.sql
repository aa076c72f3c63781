-- Tells by which rules the match values of an entity are made: empty while they are made anew, and null where a daemon of before has made them.
select match_rules
from entity
where name = $1
