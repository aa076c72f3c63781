//! How claimed work ends, or goes back into the queue.

use std::time::Duration;

use tokio_postgres::Row;

use crate::domain::name::EntityName;
use crate::domain::record::{DoubtId, OperationId};
use crate::store::columns::{Word, get, micros, storable};
use crate::store::requests::look::release_held;
use crate::store::requests::view::WorkState;
use crate::store::run::{Authority, Fault, Mode, Parameter, Request, Session, Step};

use super::{FindRunning, Finish, FinishItems, GiveBack, Hold, Receipt, WorkEnd, WorkItemId};

const ABANDON: &str = include_str!("../../sql/operation/abandon.sql");
const FIND_RUNNING: &str = include_str!("../../sql/work_item/find_running.sql");
const FINISH: &str = include_str!("../../sql/work_item/finish.sql");
const LOCK_OPERATION: &str = include_str!("../../sql/operation/lock.sql");
const PUT_BACK: &str = include_str!("../../sql/work_item/put_back.sql");

impl Request for FinishItems {
    type Reply = ();

    const ACTION: &'static str = "end work";

    const MODE: Mode = Mode::Statements;

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let entity = self.entity.as_str().to_owned();
        // What stayed in flight for good would keep every unknown key of its source waiting.
        let [items, claims] = columns(&self.finish.items);
        let abandon = Step::new(ABANDON, [Box::new(entity), items, claims]);
        let [abandoned, _] = session.pipeline_of([abandon, self.finish.step(&self.entity)]).await?;
        let abandoned =
            abandoned.iter().map(|row| Ok(OperationId(get(row, "id")?))).collect::<Result<Vec<_>, Fault>>()?;
        session.conclude(release_held(abandoned.into_iter()).into_iter().collect()).await?;
        Ok(())
    }
}

impl Request for GiveBack {
    type Reply = ();

    const ACTION: &'static str = "give work back";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.conclude(vec![PutBack::unbegun(self.items.clone()).step(&self.entity)]).await?;
        Ok(())
    }
}

impl Request for Hold {
    type Reply = ();

    const ACTION: &'static str = "hold work";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let put_back = PutBack {
            items: self.items.clone(),
            state: WorkState::Waiting,
            due_in: self.due_in,
            blocked_by: Vec::new(),
            spent: self.spent,
            error: Some(self.error.clone()),
            held_by: Some(self.by),
            asks_consent: false,
        };
        // Whoever settles that write comes wholly before this, and then it is seen; or wholly after, and then what waits is.
        let lock = Step::new(LOCK_OPERATION, [Box::new(self.by.0)]);
        session.conclude(vec![lock, put_back.step(&self.entity)]).await?;
        Ok(())
    }
}

impl Request for FindRunning {
    type Reply = bool;

    const ACTION: &'static str = "look for claimed work";

    const MODE: Mode = Mode::Statements;

    const AUTHORITY: Authority = Authority::Server;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        let [rows] = session.pipeline_of([find_running(&self.items)]).await?;
        is_running(&rows)
    }
}

impl Finish {
    /// Gives the statement that does it.
    pub(in crate::store) fn step(&self, entity: &EntityName) -> Step {
        match &self.end {
            WorkEnd::Done { outcome } => {
                let (entity, outcomes) = (entity.as_str().to_owned(), vec![*outcome; self.items.len()]);
                let [items, claims] = columns(&self.items);
                Step::new(FINISH, [Box::new(entity), items, claims, Box::new(outcomes)])
            }
            WorkEnd::Again { due_in, error, blocked_by, spent, waiting } => PutBack {
                items: self.items.clone(),
                state: if *waiting { WorkState::Waiting } else { WorkState::Ready },
                due_in: *due_in,
                blocked_by: blocked_by.iter().map(|source| source.as_str().to_owned()).collect(),
                spent: *spent,
                error: error.clone(),
                held_by: None,
                asks_consent: false,
            }
            .step(entity),
            WorkEnd::Parked { error } => self.parked(error, false).step(entity),
            WorkEnd::Held { error } => self.parked(error, true).step(entity),
        }
    }

    fn parked(&self, error: &str, asks_consent: bool) -> PutBack {
        PutBack {
            items: self.items.clone(),
            state: WorkState::Parked,
            due_in: Duration::ZERO,
            blocked_by: Vec::new(),
            spent: true,
            error: Some(error.to_owned()),
            held_by: None,
            asks_consent,
        }
    }
}

/// Claimed items go back into the queue.
pub(super) struct PutBack {
    pub(super) items: Vec<Receipt>,
    pub(super) state: WorkState,
    pub(super) due_in: Duration,
    pub(super) blocked_by: Vec<String>,
    pub(super) spent: bool,
    pub(super) error: Option<String>,
    pub(super) held_by: Option<DoubtId>,
    /// A limit has parked them.
    pub(super) asks_consent: bool,
}

impl PutBack {
    /// Has items looked at again that no look has begun with, as far as is known.
    pub(super) fn unbegun(items: Vec<Receipt>) -> Self {
        Self {
            items,
            state: WorkState::Ready,
            due_in: Duration::ZERO,
            blocked_by: Vec::new(),
            spent: false,
            error: None,
            held_by: None,
            asks_consent: false,
        }
    }

    pub(super) fn step(self, entity: &EntityName) -> Step {
        let [items, claims] = columns(&self.items);
        Step::new(
            PUT_BACK,
            [
                Box::new(entity.as_str().to_owned()),
                items,
                claims,
                Box::new(self.state.word()),
                Box::new(micros(self.due_in)),
                Box::new(self.blocked_by),
                Box::new(i32::from(self.spent)),
                Box::new(self.error.as_deref().map(storable)),
                Box::new(self.held_by.map(|DoubtId(number)| number)),
                Box::new(self.asks_consent),
            ],
        )
    }
}

/// Gives the items' numbers as a statement takes them.
pub(in crate::store) fn ids(items: &[WorkItemId]) -> Vec<i64> {
    items.iter().map(|WorkItemId(id)| *id).collect()
}

/// Gives the items' numbers, and those of their claims, as a statement takes them.
pub(super) fn columns(receipts: &[Receipt]) -> [Parameter; 2] {
    let (items, claims): (Vec<i64>, Vec<i64>) = receipts.iter().map(|receipt| (receipt.item.0, receipt.claim)).unzip();
    [Box::new(items), Box::new(claims)]
}

/// Asks whether any item of a look is still under its claim; [`is_running`] reads the answer.
pub(in crate::store) fn find_running(receipts: &[Receipt]) -> Step {
    Step::new(FIND_RUNNING, columns(receipts))
}

/// Reads whether any item of a look is still under its claim.
pub(in crate::store) fn is_running(rows: &[Row]) -> Result<bool, Fault> {
    rows.first().map_or(Ok(false), |row| get(row, "running"))
}

/// Reads which claim of which item a row is about.
pub(super) fn receipt(row: &Row) -> Result<Receipt, Fault> {
    Ok(Receipt { item: WorkItemId(get(row, "id")?), claim: get(row, "claims")? })
}
