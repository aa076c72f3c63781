//! The statements that store what a sheet holds: each once, however many looks it is of.

use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::domain::name::EntityName;
use crate::domain::record::OperationId;
use crate::points::{Mistake, bent};
use crate::store::columns::get;
use crate::store::run::{Fault, Parameter, Step};

use super::super::copies::release_held;
use super::{Rows, Sheet};

const LOCK_ENTITY: &str = include_str!("../../../sql/entity/lock_for_claim.sql");
const LOCK_RECORDS: &str = include_str!("../../../sql/record/lock.sql");
const CHECK: &str = include_str!("../../../sql/record/check.sql");
const CHECK_UNKNOWN: &str = include_str!("../../../sql/foreign_key/check_unknown.sql");
const INTRODUCE: &str = include_str!("../../../sql/record/introduce.sql");
const REVISE_RECORDS: &str = include_str!("../../../sql/record/revise.sql");
const PUT_MATCHES: &str = include_str!("../../../sql/match_value/put.sql");
const END_OPERATIONS: &str = include_str!("../../../sql/operation/end.sql");
const PUT_OPERATIONS: &str = include_str!("../../../sql/operation/put.sql");
const KEEP_OUTPUT: &str = include_str!("../../../sql/operation/keep_output.sql");
const RETIRE_KEYS: &str = include_str!("../../../sql/foreign_key/retire.sql");
const PUT_LINKS: &str = include_str!("../../../sql/link/put.sql");
const REKEY_LINKS: &str = include_str!("../../../sql/link/rekey.sql");
const PUT_KEYS: &str = include_str!("../../../sql/foreign_key/put.sql");
const MARK_TIDYING: &str = include_str!("../../../sql/source/mark_tidying.sql");
const DECIDE_ITEMS: &str = include_str!("../../../sql/work_item/decide.sql");
const LOCK_WAITING: &str = include_str!("../../../sql/work_item/lock_waiting.sql");
const FINISH: &str = include_str!("../../../sql/work_item/finish.sql");

impl Sheet {
    /// Gives the statements of a whole transaction, which end in an error where there is anything to be considered. The entity is locked
    /// before any record, as it is everywhere.
    pub(in crate::store) fn transaction(mut self, entity: &EntityName) -> Vec<Step> {
        let (first, introduce) = self.introduction(entity).unzip();
        let locks = (!self.records.is_empty()).then(|| self.locks(entity));
        let first = first.into_iter().chain(locks).flatten();
        first.chain(self.writes(entity)).chain(introduce).collect()
    }

    /// Has the entity locked and sees to it that there is nothing to be considered of the keys that become records; and makes these, which
    /// the last of a transaction's statements does, whose rows [`introduced`] reads.
    fn introduction(&mut self, entity: &EntityName) -> Option<([Step; 2], Step)> {
        let newcomers = std::mem::take(&mut self.newcomers);
        if newcomers.is_empty() {
            return None;
        }
        let lock = Step::holding(LOCK_ENTITY, [Box::new(entity.as_str().to_owned())]);
        let check = bent(Mistake::IgnoreOwnCreate, CHECK_UNKNOWN, "'in-flight'", "'nothing'");
        let keys = || Rows::columns(newcomers.clone()).into_iter().chain(Rows::columns(self.led.clone())).collect();
        Some(([lock, of(check, entity, keys())], of(INTRODUCE, entity, keys())))
    }

    /// Has the records locked, and then sees to it that there is nothing to be considered.
    fn locks(&mut self, entity: &EntityName) -> [Step; 2] {
        let records: Vec<i64> = self.records.iter().copied().collect();
        let lock = Step::holding(LOCK_RECORDS, [Box::new(entity.as_str().to_owned()), Box::new(records)]);
        let expected = Rows::columns(std::mem::take(&mut self.expected));
        let created = Rows::columns(std::mem::take(&mut self.created));
        let wanted = Rows::columns(std::mem::take(&mut self.wanted));
        let claimed = Rows::columns(std::mem::take(&mut self.claimed));
        let columns = [expected, created, wanted, claimed].into_iter().flatten();
        [lock, of(CHECK, entity, columns.collect())]
    }

    /// Gives the statements that store it, in their order: what ends makes room for what begins. Those without rows are left out.
    pub(in crate::store) fn writes(self, entity: &EntityName) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(rows(REVISE_RECORDS, entity, self.revised));
        steps.extend(rows(PUT_MATCHES, entity, self.matched));
        steps.extend(self.first);
        if !self.ended.is_empty() {
            let columns = Rows::columns(self.ended).into_iter().chain([Box::new(self.unsettled_at) as Parameter]);
            steps.push(of(END_OPERATIONS, entity, columns.collect()));
        }
        steps.extend(rows(PUT_OPERATIONS, entity, self.put));
        if !self.said.is_empty() {
            steps.push(Step::of(KEEP_OUTPUT, Rows::columns(self.said)));
        }
        if !self.again.is_empty() {
            // Some go into others that wait: these are locked beside those that are released.
            let moved = self.moved.clone();
            steps.push(of(LOCK_WAITING, entity, vec![Box::new(self.again), Box::new(moved)]));
        }
        steps.extend(release_held(self.moved.into_iter().map(OperationId)));
        steps.extend(rows(RETIRE_KEYS, entity, self.retired));
        steps.extend(rows(PUT_LINKS, entity, self.linked));
        if !self.rekeyed.is_empty() {
            let columns = || Rows::columns(self.rekeyed.clone());
            steps.extend([of(REKEY_LINKS, entity, columns()), of(PUT_KEYS, entity, columns())]);
        }
        if !self.tidying.is_empty() {
            let sources: Vec<String> = self.tidying.into_iter().collect();
            steps.push(of(MARK_TIDYING, entity, vec![Box::new(sources)]));
        }
        if !self.decided.is_empty() {
            steps.push(Step::new(DECIDE_ITEMS, [Box::new(self.decided)]));
        }
        steps.extend(rows(FINISH, entity, self.finished));
        steps.extend(self.last);
        steps
    }
}

/// Reads which records the keys of a sheet have become, in their order, from what its transaction's statements gave.
pub(in crate::store) fn introduced(rows: &[Vec<Row>]) -> Result<Vec<InternalKey>, Fault> {
    rows.last().into_iter().flatten().map(|row| get(row, "record").map(InternalKey)).collect()
}

/// Makes a statement whose first parameter is the entity.
fn of(sql: &'static str, entity: &EntityName, more: Vec<Parameter>) -> Step {
    let entity: Parameter = Box::new(entity.as_str().to_owned());
    Step::of(sql, [entity].into_iter().chain(more).collect())
}

/// Makes a statement of these rows, if there are any.
fn rows<R: Rows>(sql: &'static str, entity: &EntityName, rows: Vec<R>) -> Option<Step> {
    (!rows.is_empty()).then(|| of(sql, entity, R::columns(rows)))
}
