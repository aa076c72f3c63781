-- Which claim of a work item the end of a look is about: what is sent again ends no later look.

-- How often it was claimed. A daemon of before does not count; whoever takes an entity over from it puts back what it has claimed, and what
-- it sends later is refused with its lease.
alter table work_item add column claims bigint not null default 0;
