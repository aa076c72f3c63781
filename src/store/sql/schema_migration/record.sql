-- Remembers that a migration was applied, in the transaction that applied it.
insert into schema_migration (number, name, checksum)
values ($1, $2, $3)
