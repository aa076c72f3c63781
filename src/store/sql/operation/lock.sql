-- Keeps a write from being settled until this transaction has ended.
select number
from operation
where number = $1
for share
