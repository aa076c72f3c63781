//! What a request says to PostgreSQL, in as few round trips as can be: a transaction begins with its first statements, and may
//! end with its last.

use std::future::{Future, ready};
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use deadpool_postgres::ClientWrapper;
use futures_util::{FutureExt as _, poll};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

use crate::points::{Mistake, bent};
use crate::store::requests::lease::Fence;
use crate::store::session::Object;

use super::{Fault, Mode};

const HOLD_LEASE: &str = include_str!("../sql/lease/hold.sql");
const COMMIT: &str = "COMMIT";

/// The look at a lease in a statement, and what stands there to [go on without one](Mistake::NoFencing).
const RIGHT: &str = "hold_lease($1, $2, $3)";
const WRONG: &str = "($1::text, $2::bigint, $3::uuid) is not null";

/// With which SQLSTATE `hold_lease` ends if another daemon serves the entity, and `not_plain` wherever it is called.
const NOT_HELD: &str = "RT001";
const NOT_PLAIN: &str = "RT002";

/// The session on which a request runs. What was begun and not committed is rolled back when it is dropped.
pub struct Session<'a> {
    client: &'a ClientWrapper,
    /// How a transaction begins; `None`: every statement is one of its own.
    begins: Option<&'static str>,
    fence: Option<&'a Fence>,
    stage: AtomicU8,
    /// Whether nothing speaks against the short way yet.
    is_first: bool,
}

/// How far a transaction has come.
mod stage {
    /// It begins with the first statements.
    pub(super) const TO_BEGIN: u8 = 0;
    pub(super) const OPEN: u8 = 1;
    /// The commit is on its way, or there is no transaction.
    pub(super) const OVER: u8 = 2;
}

/// What goes with a statement.
pub(in crate::store) type Parameter = Box<dyn ToSql + Sync + Send>;

/// One statement with its parameters.
pub(in crate::store) struct Step {
    sql: &'static str,
    parameters: Vec<Parameter>,
    is_contested: bool,
    holds_lease: bool,
}

/// How statements stand in their transaction.
#[derive(Default)]
struct Talk<'t> {
    /// The first of them looks at the lease itself.
    is_held: bool,
    /// They are the last: it is committed with them.
    is_last: bool,
    /// Told what they gave before the commit is there.
    ahead: Option<Ahead<'t>>,
}

/// Is told the rows of statements.
type Ahead<'t> = &'t mut (dyn FnMut(&[Vec<Row>]) + Send);

/// A statement as it is sent.
type Ready<'p> = (Statement, Vec<&'p (dyn ToSql + Sync)>);

/// An answer that is on its way.
type Answer<'p> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'p>>;

impl Step {
    pub(in crate::store) fn new<const N: usize>(sql: &'static str, parameters: [Parameter; N]) -> Self {
        Self::of(sql, parameters.into())
    }

    pub(in crate::store) fn of(sql: &'static str, parameters: Vec<Parameter>) -> Self {
        Self { sql, parameters, is_contested: false, holds_lease: false }
    }

    /// A statement that looks at the lease itself, if the request rests on one: entity, number and holder come before its own parameters.
    /// It is the first of its transaction.
    pub(in crate::store) fn holding<const N: usize>(sql: &'static str, parameters: [Parameter; N]) -> Self {
        Self { holds_lease: true, ..Self::new(bent(Mistake::NoFencing, sql, RIGHT, WRONG), parameters) }
    }

    /// Says that if it gives no row, a concurrent request came first: then the attempt fails with [`Fault::Moved`].
    pub(in crate::store) fn contested(self) -> Self {
        Self { is_contested: true, ..self }
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(object: &'a Object, mode: Mode, fence: Option<&'a Fence>, is_first: bool) -> Self {
        let begins = match (mode, fence) {
            (Mode::Statements, None) => None,
            (Mode::Transaction, _) | (Mode::Statements, Some(_)) => Some("BEGIN"),
            (Mode::Snapshot, _) => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        };
        let stage = AtomicU8::new(if begins.is_some() { stage::TO_BEGIN } else { stage::OVER });
        Self { client: object, begins, fence, stage, is_first }
    }

    /// Tells whether the request may go the short way: with statements that end in [`Fault::NotPlain`] where there is anything to
    /// be considered. The next attempt then goes the long way, which considers it.
    pub(in crate::store) fn may_be_short(&self) -> bool {
        self.is_first
    }

    /// Runs one statement, and gives its rows.
    pub(in crate::store) async fn list(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.talk(&[(statement, parameters.to_vec())], Talk::default()).await?.pop().unwrap_or_default())
    }

    /// Runs one statement that gives a row at most.
    pub(in crate::store) async fn find(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Fault> {
        Ok(self.list(sql, parameters).await?.pop())
    }

    /// Runs one statement, and gives the number of rows that it changed.
    pub(in crate::store) async fn execute(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        self.talk(&[], Talk::default()).await?;
        let statement = self.prepare(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    /// Runs statements in their order, in one round trip, and gives the rows of each.
    pub(in crate::store) async fn pipeline(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Fault> {
        self.run(&steps, Talk::default()).await
    }

    /// Like [`Session::pipeline`], for a number of statements that is known.
    pub(in crate::store) async fn pipeline_of<const N: usize>(&self, steps: [Step; N]) -> Result<[Vec<Row>; N], Fault> {
        let rows = self.pipeline(steps.into()).await?;
        Ok(rows.try_into().unwrap_or_else(|_| unreachable!("every statement gives its rows")))
    }

    /// Runs the last statements of a request and commits, in one round trip. Nothing can be held against them any more but by
    /// themselves: one that ends in an error undoes all.
    pub(in crate::store) async fn conclude(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Fault> {
        debug_assert!(steps.iter().all(|step| !step.is_contested), "what is contested is judged before the commit");
        self.run(&steps, Talk { is_last: true, ..Talk::default() }).await
    }

    /// Like [`Session::conclude`]; the rows are told as soon as they are there, while their commit is still being made durable. Nothing may
    /// rest on them before that has succeeded.
    pub(in crate::store) async fn conclude_telling(&self, steps: Vec<Step>, ahead: Ahead<'_>) -> Result<(), Fault> {
        debug_assert!(steps.iter().all(|step| !step.is_contested), "what is contested is judged before the commit");
        self.run(&steps, Talk { is_last: true, is_held: false, ahead: Some(ahead) }).await.map(drop)
    }

    /// Commits, unless that was done with the last statements.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        if self.stage.load(Ordering::Relaxed) == stage::OPEN {
            self.talk(&[], Talk { is_last: true, ..Talk::default() }).await?;
        }
        Ok(())
    }

    async fn run(&self, steps: &[Step], talk: Talk<'_>) -> Result<Vec<Vec<Row>>, Fault> {
        let lease = self.lease();
        let mut ready = Vec::with_capacity(steps.len());
        for step in steps {
            let of_lease = lease.iter().take(if step.holds_lease { lease.len() } else { 0 });
            let parameters = of_lease.chain(&step.parameters).map(|each| &**each as _).collect();
            ready.push((self.prepare(step.sql).await?, parameters));
        }
        let is_held = steps.first().is_some_and(|step| step.holds_lease);
        let rows = self.talk(&ready, Talk { is_held, ..talk }).await?;
        let is_lost = steps.iter().zip(&rows).any(|(step, rows)| step.is_contested && rows.is_empty());
        if is_lost { Err(Fault::Moved) } else { Ok(rows) }
    }

    /// Says it all at once, and gives what came of each statement. The first of a transaction are preceded by its begin and, where
    /// the request rests on a lease, by a look at that; the last are followed by its commit.
    ///
    /// A statement is sent when its future is first polled. One that cannot even be sent keeps what would follow from being
    /// sent, the commit above all.
    async fn talk(&self, statements: &[Ready<'_>], talk: Talk<'_>) -> Result<Vec<Vec<Row>>, Fault> {
        let Talk { is_held, is_last, ahead } = talk;
        let is_first = self.stage.load(Ordering::Relaxed) == stage::TO_BEGIN;
        // One statement that is all there is needs no brackets.
        let is_alone = is_first && is_last && statements.len() == 1 && (is_held || self.fence.is_none());
        let begins = self.begins.filter(|_| is_first && !is_alone);
        let lease = self.lease();
        let hold = match self.fence.filter(|_| begins.is_some() && !is_held) {
            Some(_) => {
                let parameters: Vec<&(dyn ToSql + Sync)> = lease.iter().map(|each| &**each as _).collect();
                Some((self.prepare(bent(Mistake::NoFencing, HOLD_LEASE, RIGHT, WRONG)).await?, parameters))
            }
            None => None,
        };
        let mut answers = Vec::with_capacity(statements.len() + 3);
        if let Some(begins) = begins {
            self.stage.store(stage::OPEN, Ordering::Relaxed);
            say(&mut answers, self.command(begins)).await.map_err(|error| self.fault(error))?;
        }
        for (statement, parameters) in hold.iter().chain(statements) {
            let said = say(&mut answers, Box::pin(self.client.query(statement, parameters))).await;
            said.map_err(|error| self.fault(error))?;
        }
        if is_alone {
            self.stage.store(stage::OVER, Ordering::Relaxed);
        } else if is_last && self.begins.is_some() {
            self.stage.store(stage::OVER, Ordering::Relaxed);
            say(&mut answers, self.command(COMMIT)).await.map_err(|error| self.fault(error))?;
        }
        let before = usize::from(begins.is_some()) + usize::from(hold.is_some());
        self.hear(answers, before..before + statements.len(), ahead).await
    }

    /// Awaits all answers, and gives those that are wanted.
    async fn hear(
        &self,
        answers: Vec<Answer<'_>>,
        wanted: Range<usize>,
        mut ahead: Option<Ahead<'_>>,
    ) -> Result<Vec<Vec<Row>>, Fault> {
        let mut rows = Vec::with_capacity(answers.len());
        for answer in answers {
            rows.push(answer.await.map_err(|error| self.fault(error))?);
            if rows.len() == wanted.end
                && let Some(ahead) = ahead.take()
            {
                ahead(&rows[wanted.clone()]);
            }
        }
        Ok(rows.drain(wanted).collect())
    }

    fn command(&self, command: &'static str) -> Answer<'_> {
        Box::pin(async move { self.client.batch_execute(command).await.map(|()| Vec::new()) })
    }

    /// The lease as a statement takes it.
    fn lease(&self) -> [Parameter; 3] {
        [
            Box::new(self.fence.map(|fence| fence.entity.as_str().to_owned())),
            Box::new(self.fence.map(|fence| fence.number)),
            Box::new(self.fence.map(|fence| fence.holder.0)),
        ]
    }

    async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        self.client.prepare_cached(sql).await
    }

    /// Sorts what the server said.
    fn fault(&self, error: Error) -> Fault {
        match (error.code().map(SqlState::code), self.fence) {
            (Some(NOT_HELD), Some(fence)) => Fault::Deposed(fence.entity.clone()),
            (Some(NOT_PLAIN), _) => Fault::NotPlain,
            _ => Fault::Database(error),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if *self.stage.get_mut() == stage::OPEN {
            // It is sent at the first poll; nobody waits for the answer.
            drop(self.client.batch_execute("ROLLBACK").now_or_never());
        }
    }
}

/// Says something, and has its answer awaited after those before, also where it is there at once: of two errors the first says why.
async fn say<'p>(answers: &mut Vec<Answer<'p>>, mut said: Answer<'p>) -> Result<(), Error> {
    match poll!(&mut said) {
        Poll::Pending => answers.push(said),
        Poll::Ready(Err(unsent)) if unsent.as_db_error().is_none() => return Err(unsent),
        Poll::Ready(answer) => answers.push(Box::pin(ready(answer))),
    }
    Ok(())
}
