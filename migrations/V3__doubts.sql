-- Doubts have a name that a person can type, and keep what their program said; who waits for a write says for which.

alter table operation
    -- The name by which a person speaks of it.
    add column number bigint not null generated always as identity constraint operation_number unique,
    -- What the program said when its last attempt ended: how it ended, and the beginning of its stdout and the end of its
    -- stderr as a terminal may show them. Nothing, if it never came to its end.
    add column exit   text,
    add column stdout text,
    add column stderr text;
create index operation_in_doubt on operation (number) where state = 'in-doubt' and number > 0;
-- What may be making a copy now whose key nobody knows yet.
create index operation_in_flight on operation (entity, source, created_at) where state = 'in-flight' and kind <> 'delete';
-- What is removed some time after it was settled.
create index operation_settled on operation (ended_at) where state in ('done', 'superseded');

-- The number of the write for which an item with an unknown key waits. In doubt, it keeps the item for ever: until it is settled.
alter table work_item add column held_by bigint;
create index work_item_held on work_item (held_by) where held_by is not null;
