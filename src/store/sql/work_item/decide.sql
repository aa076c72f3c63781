-- Records that what a person ordered is decided.
update work_item
set command = null
where id = any ($1) and command is not null
