-- Makes records of the keys $3 at the sources $2, each with the next internal key, in their order, and leads the items $5 to those of the
-- $4-th keys; gives the records in that order. The entity is locked, and nobody knows the keys.
with advanced as materialized (
    update entity
    set last_internal_key = last_internal_key + cardinality($3::text[])
    where name = $1
    returning last_internal_key - cardinality($3::text[]) as before
),
newcomer as materialized (
    select asked.place, advanced.before + asked.place as record, asked.source, asked.key
    from advanced
    cross join unnest($2::text[], $3::text[]) with ordinality as asked (source, key, place)
),
made as (
    insert into record (entity, id)
    select $1, newcomer.record
    from newcomer
),
named as (
    insert into foreign_key (entity, source, key, record, state)
    select $1, newcomer.source, newcomer.key, newcomer.record, 'current'
    from newcomer
),
linked as (
    insert into link (entity, record, source, state, foreign_key)
    select $1, newcomer.record, newcomer.source, 'linked', newcomer.key
    from newcomer
),
led as materialized (
    select led.item, newcomer.record
    from unnest($4::bigint[], $5::bigint[]) as led (place, item)
    cross join newcomer
    where newcomer.place = led.place
),
assigned as (
    update work_item
    set record = led.record
    from led
    where work_item.id = any ($5) and work_item.id = led.item
)
select newcomer.record
from newcomer
order by newcomer.place
