-- Requests that may be repeated: what one has changed is told in the transaction that changes it, so that a request whose daemon
-- died is known to have taken effect, or not to have.
alter table repeatable
    -- The one that carries it out. Whoever takes it over has another, and the one before changes nothing any more.
    add column attempt uuid,
    -- {"ordered": 17}, {"approved": {...}}, "done". Nothing: it has changed nothing that may not be changed twice.
    add column effect  json;
