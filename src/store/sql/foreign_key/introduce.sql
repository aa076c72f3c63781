-- Gives a key to a record, unless another has it by now: then no row is given.
insert into foreign_key (entity, source, key, record, state)
values ($1, $2, $3, $4, 'current')
on conflict (entity, source, key) do update set
    record = excluded.record,
    state = 'current',
    document = null,
    changed_at = clock_timestamp()
where foreign_key.state = 'retired'
returning record
