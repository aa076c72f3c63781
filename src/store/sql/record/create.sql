-- Makes a record on which nothing is agreed yet.
insert into record (entity, id)
values ($1, $2)
