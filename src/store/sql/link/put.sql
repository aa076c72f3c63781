-- Stores links of a record as they are from now on.
insert into link (entity, record, source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step,
                  last_error)
select $1, $2, changed.source, changed.state, changed.foreign_key, changed.shadow, changed.unknown, changed.ack, changed.owed,
       changed.last_reading, changed.missing_since, changed.in_step, changed.last_error
from unnest($3::text[], $4::text[], $5::text[], $6::json[], $7::json[], $8::json[], $9::json[], $10::json[],
            $11::timestamptz[], $12::boolean[], $13::text[])
    as changed (source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step, last_error)
on conflict (entity, record, source) do update set
    state = excluded.state,
    foreign_key = excluded.foreign_key,
    shadow = excluded.shadow,
    unknown = excluded.unknown,
    ack = excluded.ack,
    owed = excluded.owed,
    last_reading = excluded.last_reading,
    missing_since = excluded.missing_since,
    in_step = excluded.in_step,
    last_error = excluded.last_error
