-- Lists the sources of an entity of which it is known whether they tidy.
select name, tidies
from source
where entity = $1
