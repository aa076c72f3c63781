-- What lets a transaction be sent whole, its commit included: what would have to be judged before that is judged here, and ends it
-- in an error.

-- Keeps an entity's lease from changing hands until the transaction ends, while something is recorded under its fencing number;
-- others may record beside it. The lock is in memory alone: it writes no row. The lease is looked at by a statement of its own,
-- which sees what the lock has waited for.
create function hold_lease(asked_entity text, asked_fence bigint, asked_holder uuid) returns boolean language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(1919251555, hashtext(asked_entity));
    perform from lease where entity = asked_entity and fence = asked_fence and holder = asked_holder;
    if not found then
        raise exception 'another daemon serves %', asked_entity using errcode = 'RT001';
    end if;
    return true;
end
$$;

-- Ends a transaction in which there is more to be considered than its statements do.
create function not_plain() returns boolean language plpgsql as $$
begin
    raise exception 'there is more to be considered' using errcode = 'RT002';
end
$$;

-- Who asks whose copy a key is names the key and no state: so this is the one index for it. Beside another index on the linked ones, a plan
-- that was made while both were empty could be by that one, and read all copies of a source.
drop index link_copy;
create unique index link_copy on link (entity, source, foreign_key) where foreign_key is not null;
