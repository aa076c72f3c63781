-- Which rules an entity's match values are made by: those that were made by others are not comparable, and are made anew.

-- Empty while they are, and null where a daemon of before has made them.
alter table entity add column match_rules text;
