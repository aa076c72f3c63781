-- Remembers what was applied. Runs under the lock: `if not exists` alone fails when two run it at once.
create table if not exists schema_migration (
    number     integer     not null constraint schema_migration_pk primary key,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default clock_timestamp()
)
