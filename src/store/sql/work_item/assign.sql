-- Records to which record items have led.
update work_item
set record = $2
where id = any ($1)
