-- Lets the daemon $2 read events for all daemons under the name $1 for $3 microseconds, unless another one does, and gives how far they
-- were read. One that is known to be dead, $4, does it no more. The first, and one who comes after a day in which nobody did, begins with what happens from now on.
insert into event_reader (name, position, holder, held_until)
select $1, last, $2, clock_timestamp() + $3::bigint * interval '1 microsecond'
from event_counter
where event_counter.name = 'event'
on conflict (name) do update
set holder = excluded.holder, held_until = excluded.held_until,
    position = case
        when event_reader.held_until < clock_timestamp() - interval '1 day' then excluded.position
        else event_reader.position
    end
where event_reader.holder = excluded.holder or event_reader.held_until < clock_timestamp()
   or event_reader.holder = $4
returning position
