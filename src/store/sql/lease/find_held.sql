-- Tells whether a daemon still serves an entity under the fencing number that it was given.
select fence
from lease
where entity = $1 and fence = $2 and holder = $3
