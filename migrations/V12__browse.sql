-- What people look for: records by what is the matter with them, and all that happened to one.

-- When something about a copy was last recorded: what was read of it, or written. Nothing: before this was kept.
alter table link add column recorded_at timestamptz;
alter table link alter column recorded_at set default clock_timestamp();

-- Also in their order.
drop index record_deleted;
create index record_deleted on record (entity, id) where state = 'deleted';

-- The writes to a record's copies that are over; those that are not have operation_unsettled.
create index operation_of_record on operation (entity, record, number) where state in ('done', 'superseded');

-- All conflicts that a record ever had, and when they ended.
create index conflict_of_record on conflict (entity, record, id);
create index conflict_closed_of_record on conflict (entity, record, closed_at, id) where closed_at is not null;

-- What people did to one thing.
create index audit_of_target on audit (target, id);
