-- Gets the number that was given last.
select last
from event_counter
where name = 'event'
