-- Records what is wrong with copies, and leaves their links as they were.
insert into link (entity, record, source, state, last_error)
select $1, $2, blamed.source, 'unlinked', blamed.why
from unnest($3::text[], $4::text[]) as blamed (source, why)
on conflict (entity, record, source) do update set
    in_step = false,
    last_error = excluded.last_error
