-- Tells by which rules the match values of an entity are made, if all of its records have theirs: they stand beside the values, as those of
-- the record 0, of which there is none.
select value as rules
from match_value
where entity = $1 and record = 0
