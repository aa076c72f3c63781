//! One visit at a source: the invocations that belong together and are made in one turn.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slog::Logger;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::plan::WriteResult;
use crate::domain::record::{OperationId, OperationKind, Output, Reading};
use crate::metrics::{Invocation, Tally};
use crate::points::{self, Point};

use super::boot_time::BootTime;
use super::contract::{Answer, Context, FindEnd, ListEnd, Program, ReadEnd, Run, Turn, WriteEnd};
use super::gate::{Cancelled, Gate};
use super::lock::LockError;
use super::log::log_run;
use super::past::PastRuns;
use super::process::Exit;
use super::process::cancel::Cancel;
use super::tenure::{Over, Tenure};

/// A reading, with what a write that rests on it must know.
#[derive(Debug, Clone)]
pub struct Taken {
    pub reading: Reading,
    /// Of the bytes that were printed; `None` without a document.
    pub sha256: Option<[u8; 32]>,
    /// When the read began.
    pub at: BootTime,
}

impl Taken {
    /// A reading without a document.
    pub fn none(reading: Reading) -> Self {
        Self { reading, sha256: None, at: BootTime::now() }
    }
}

/// A write to be made.
#[derive(Debug, Clone)]
pub struct WriteOrder {
    pub record: InternalKey,
    pub operation: OperationId,
    pub kind: OperationKind,
    /// `None` for a create.
    pub key: Option<ForeignKey>,
    /// `None` for a delete.
    pub document: Option<Json>,
    /// What an update or delete rests on.
    pub basis: Option<Taken>,
    /// A basis older than this is read again first.
    pub recheck: Duration,
    pub read_back: bool,
}

impl WriteOrder {
    /// Whether what it rests on must be read again before it is made.
    fn is_to_be_rechecked(&self) -> bool {
        let basis = self.basis.as_ref().filter(|_| self.key.is_some());
        basis.is_some_and(|basis| BootTime::now() - basis.at > self.recheck)
    }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub result: WriteResult,
    /// What the program said that was to change something; `None` if none ran.
    pub output: Option<Output>,
}

impl From<WriteResult> for Written {
    fn from(result: WriteResult) -> Self {
        Self { result, output: None }
    }
}

/// What a search for an item gave.
#[derive(Debug, Clone)]
pub enum Searched {
    /// The keys of the items that are equal to it.
    Found(Vec<ForeignKey>),
    /// The keys of all items.
    Listed(Vec<ForeignKey>),
    /// Nothing can be told now; the reading is never a document, and never missing.
    Failed(Reading),
}

/// Whether the source could be reached, as far as a visit shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    Reached,
    /// It says so itself, or did not answer in time.
    Unreachable(String),
    /// Nothing was started, or its end says nothing about it.
    Unknown,
}

/// Makes visits at one source. Blocks for as long as the programs run, and as long as the gate makes them wait.
///
/// A visit waits at the gate in its turn: what has passed starts at once.
#[derive(Clone)]
pub struct Visitor {
    program: Arc<Program>,
    gate: Arc<Gate>,
    tenure: Arc<Tenure>,
    tally: Tally,
    past: PastRuns,
    log: Logger,
}

/// A visit that has begun: programs may be started, until it is cancelled.
#[derive(Debug)]
pub struct Begun {
    turn: Turn,
    cancel: Cancel,
}

/// Why a program was not started, or not yet.
#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error(transparent)]
    NoTurn(#[from] LockError),
    #[error(transparent)]
    NotAdmitted(#[from] Cancelled),
    #[error(transparent)]
    NotInOffice(#[from] Over),
}

impl NotBegun {
    /// What it says of the source: without a descriptor here it cannot be reached, and is to be left alone for a while.
    fn reach(&self) -> Reach {
        match self {
            Self::NoTurn(error) if error.is_shortage() => Reach::Unreachable(error.with_cause()),
            Self::NoTurn(_) | Self::NotAdmitted(_) | Self::NotInOffice(_) => Reach::Unknown,
        }
    }

    /// What a read gives that was not made: never that something is missing.
    fn reading(self) -> Reading {
        match self {
            Self::NoTurn(error) => reading(&ReadEnd::from(&error)),
            Self::NotAdmitted(cancelled) => Reading::Unreachable(cancelled.to_string()),
            Self::NotInOffice(over) => Reading::Unreachable(over.to_string()),
        }
    }

    /// What a write gives that was not made.
    fn result(self) -> WriteResult {
        match self {
            Self::NoTurn(error) if error.is_shortage() => WriteResult::Held(error.with_cause()),
            Self::NoTurn(error) => result(WriteEnd::from(&error), None),
            Self::NotAdmitted(cancelled) => WriteResult::NotStarted(cancelled.to_string()),
            Self::NotInOffice(over) => WriteResult::Held(over.to_string()),
        }
    }
}

impl Visitor {
    /// Makes visits to `program`, through `gate`, while `tenure` lasts.
    pub fn new(program: Arc<Program>, gate: Arc<Gate>, tenure: Arc<Tenure>, log: Logger) -> Self {
        Self { program, gate, tenure, tally: Tally::default(), past: PastRuns::default(), log }
    }

    /// Has its runs and waits counted.
    #[must_use]
    pub fn counted_by(self, tally: Tally) -> Self {
        Self { tally, ..self }
    }

    /// Has its latest runs kept.
    #[must_use]
    pub fn kept_in(self, past: PastRuns) -> Self {
        Self { past, ..self }
    }

    /// Reads a copy.
    pub fn read(&self, key: &ForeignKey, record: Option<InternalKey>) -> (Taken, Reach) {
        let look = || {
            let mut begun = self.begin()?;
            let context = begun.context(record, None);
            Ok(self.look(&mut begun, key, &context))
        };
        look().unwrap_or_else(|not_begun: NotBegun| {
            let reach = not_begun.reach();
            (Taken::none(not_begun.reading()), reach)
        })
    }

    /// Makes a write: reads again first where the basis is old, and afterwards where that is asked for. Right before its program
    /// is started `start` puts that on record; if it does not succeed, nothing is started.
    pub fn write(&self, order: &WriteOrder, start: &dyn Fn() -> Result<(), String>) -> (Written, Reach) {
        self.write_once_admitted(order, start).unwrap_or_else(|not_begun| {
            let reach = not_begun.reach();
            (not_begun.result().into(), reach)
        })
    }

    /// Begins a visit for a write, if nothing has to be waited for, nor read first: its program may be started.
    pub fn begin_at_once(&self, order: &WriteOrder) -> Option<Begun> {
        if order.is_to_be_rechecked() {
            return None;
        }
        let cancel = self.tenure.admit_at_once()?;
        // Whoever waits for the turn finds out why it cannot be had.
        let turn = self.program.turn_at_once().ok().flatten()?;
        if !self.gate.pass_at_once() {
            return None;
        }
        self.tally.waited(self.program.entity(), Duration::ZERO);
        Some(Begun { turn, cancel })
    }

    /// Tells whether nothing but the source's turn would have to be waited for, nor anything be read first, before the program of a
    /// write is started.
    pub fn is_free_for(&self, order: &WriteOrder) -> bool {
        !order.is_to_be_rechecked() && self.gate.has_room() && self.tenure.admit_at_once().is_some()
    }

    /// Makes a write in a visit that [has begun](Visitor::begin_at_once), as soon as `start` succeeds.
    pub fn write_begun(
        &self,
        mut begun: Begun,
        order: &WriteOrder,
        start: impl FnOnce() -> Result<(), String>,
    ) -> (Written, Reach) {
        let context = begun.context_of(order);
        match start() {
            Ok(()) => {
                points::pass(Point::Started);
                self.make_write(&mut begun, order, &context)
            }
            Err(why) => (WriteResult::Held(why).into(), Reach::Unknown),
        }
    }

    /// Searches for an item: with `find` where the source has it, else with `list`.
    pub fn search(&self, record: InternalKey, operation: OperationId, document: &Json) -> (Searched, Reach) {
        let search = || {
            let mut begun = self.begin()?;
            let context = begun.context(Some(record), Some(operation));
            Ok(match self.find(&mut begun.turn, document, &context) {
                Some(found) => found,
                None => self.list(&context),
            })
        };
        search().unwrap_or_else(|not_begun: NotBegun| {
            let reach = not_begun.reach();
            (Searched::Failed(not_begun.reading()), reach)
        })
    }

    /// Waits until programs may run, for the source's turn, and then for the gate: one program may be started.
    fn begin(&self) -> Result<Begun, NotBegun> {
        let cancel = self.tenure.admit()?;
        let turn = self.program.turn(&cancel)?;
        self.pass(&cancel)?;
        self.tenure.check();
        Ok(Begun { turn, cancel })
    }

    /// Waits for the gate, and counts how long.
    fn pass(&self, cancel: &Cancel) -> Result<(), Cancelled> {
        let came = Instant::now();
        let passed = self.gate.pass(cancel);
        self.tally.waited(self.program.entity(), came.elapsed());
        passed
    }

    /// Logs a run, counts it, and keeps it for a while.
    fn note(&self, run: &Run) {
        log_run(&self.log, run);
        self.past.keep(run);
        let invocation = Invocation {
            entity: run.entity.clone(),
            source: run.source.clone(),
            operation: run.operation.as_str(),
            outcome: run.outcome(),
        };
        self.tally.invoked(invocation, run.elapsed);
    }

    /// The age of the basis is judged when something may be started. If it is read again, the write waits for the gate once
    /// more, and is made however long that takes: at a rate that is low enough, every reading would be too old.
    fn write_once_admitted(
        &self,
        order: &WriteOrder,
        start: &dyn Fn() -> Result<(), String>,
    ) -> Result<(Written, Reach), NotBegun> {
        let mut begun = self.begin()?;
        let mut context = begun.context_of(order);
        if let (Some(basis), Some(key)) = (&order.basis, &order.key)
            && order.is_to_be_rechecked()
        {
            let afresh = begun.context(Some(order.record), None);
            let (taken, reach) = self.look(&mut begun, key, &afresh);
            if taken.reading != basis.reading {
                return Ok((WriteResult::Moved.into(), reach));
            }
            context.expected_sha256 = taken.sha256;
            self.pass(&begun.cancel)?;
        }
        points::pass(Point::Starting);
        if let Err(why) = start() {
            return Ok((WriteResult::Held(why).into(), Reach::Unknown));
        }
        points::pass(Point::Started);
        Ok(self.make_write(&mut begun, order, &context))
    }

    /// Runs the program of a write whose start is on record, and reads again what it has written, where that is asked for.
    fn make_write(&self, begun: &mut Begun, order: &WriteOrder, context: &Context) -> (Written, Reach) {
        // The record may have taken long, or this process stood still: what runs is cut off if our time is over.
        self.tenure.check();
        let (Written { result, output }, reach) = self.act(&mut begun.turn, order, context);
        let (result, reach) = match result {
            WriteResult::Done { key, .. } if order.kind != OperationKind::Delete => self.look_after(begun, order, key),
            other => (other, reach),
        };
        (Written { result, output }, reach)
    }

    /// Gives nothing if the source has no `find`.
    fn find(&self, turn: &mut Turn, document: &Json, context: &Context) -> Option<(Searched, Reach)> {
        let Answer { end, run } = turn.find(document, context);
        let found = match end {
            FindEnd::Unsupported(_) => return None,
            FindEnd::Keys(keys) => (Searched::Found(keys), Reach::Reached),
            FindEnd::Unreachable(why) => failed_to_reach(&run, why),
            FindEnd::Broken(why) => (Searched::Failed(Reading::Broken(why)), Reach::Unknown),
        };
        self.note(&run);
        Some(found)
    }

    fn list(&self, context: &Context) -> (Searched, Reach) {
        let mut keys = Vec::new();
        let Answer { end, run } = self.program.list(context, &mut |key| {
            keys.push(key);
            ControlFlow::Continue(())
        });
        self.note(&run);
        match end {
            ListEnd::Done => (Searched::Listed(keys), Reach::Reached),
            ListEnd::Unreachable(why) => failed_to_reach(&run, why),
            ListEnd::Broken(why) | ListEnd::Unsupported(why) => {
                (Searched::Failed(Reading::Broken(why)), Reach::Unknown)
            }
            ListEnd::Stopped => (Searched::Failed(Reading::Broken("the list was cut off".to_owned())), Reach::Unknown),
        }
    }

    fn act(&self, turn: &mut Turn, order: &WriteOrder, context: &Context) -> (Written, Reach) {
        let answer = match (order.kind, &order.key, &order.document) {
            (OperationKind::Create, _, Some(document)) => turn.create(document, context),
            (OperationKind::Update, Some(key), Some(document)) => turn.update(key, document, context),
            (OperationKind::Delete, Some(key), _) => turn.delete(key, context),
            (OperationKind::Create | OperationKind::Update | OperationKind::Delete, _, _) => {
                let why = "a write without its key or document".to_owned();
                return (WriteResult::Unsupported(why).into(), Reach::Unknown);
            }
        };
        let Answer { end, run } = answer;
        self.note(&run);
        let output = match run.exit {
            Exit::NotStarted(_) | Exit::NoRoom(_) => None,
            Exit::Status(_) | Exit::Signal(_) | Exit::TimedOut | Exit::Cancelled | Exit::Flooded | Exit::Lost => {
                Some(run.output())
            }
        };
        let reach = match (&end, &run.exit) {
            (WriteEnd::Unreachable(why), _) => Reach::Unreachable(why.clone()),
            (_, Exit::TimedOut | Exit::NoRoom(_)) => {
                Reach::Unreachable(run.error.unwrap_or_else(|| run.exit.to_string()))
            }
            (_, Exit::NotStarted(_) | Exit::Cancelled | Exit::Lost) => Reach::Unknown,
            (_, Exit::Status(_) | Exit::Signal(_) | Exit::Flooded) => Reach::Reached,
        };
        (Written { result: result(end, Some(&run.exit)), output }, reach)
    }

    /// Reads what was written: to see that a new key is one, or what the source made of it.
    fn look_after(&self, begun: &mut Begun, order: &WriteOrder, key: Option<ForeignKey>) -> (WriteResult, Reach) {
        let renamed = order.kind == OperationKind::Update && key.is_some();
        let Some(now) = key.as_ref().or(order.key.as_ref()).filter(|_| renamed || order.read_back) else {
            return (WriteResult::Done { key, stored: None }, Reach::Reached);
        };
        let (reading, reach) = match self.pass(&begun.cancel) {
            Ok(()) => {
                let context = begun.context(Some(order.record), None);
                let (taken, reach) = self.look(begun, now, &context);
                (taken.reading, reach)
            }
            Err(cancelled) => (NotBegun::from(cancelled).reading(), Reach::Reached),
        };
        let result = match reading {
            Reading::Present(stored) => WriteResult::Done { key, stored: Some(stored) },
            Reading::Missing | Reading::Unreachable(_) | Reading::Broken(_) if renamed => WriteResult::InDoubt(
                format!("the update gave the key {now:?}, and reading it gave no document", now = now.as_str()),
            ),
            Reading::Missing | Reading::Unreachable(_) | Reading::Broken(_) => WriteResult::Done { key, stored: None },
        };
        (result, reach)
    }

    fn look(&self, begun: &mut Begun, key: &ForeignKey, context: &Context) -> (Taken, Reach) {
        let at = BootTime::now();
        let Answer { end, run } = begun.turn.read(key, context);
        self.note(&run);
        let reach = match &end {
            ReadEnd::Document { .. } | ReadEnd::Missing(_) => Reach::Reached,
            ReadEnd::Unreachable(why) => out_of_reach(&run, why),
            ReadEnd::Broken(_) => match run.exit {
                Exit::NotStarted(_) | Exit::NoRoom(_) | Exit::Cancelled | Exit::Lost => Reach::Unknown,
                Exit::Status(_) | Exit::Signal(_) | Exit::TimedOut | Exit::Flooded => Reach::Reached,
            },
        };
        let sha256 = match &end {
            ReadEnd::Document { sha256, .. } => Some(*sha256),
            ReadEnd::Missing(_) | ReadEnd::Unreachable(_) | ReadEnd::Broken(_) => None,
        };
        (Taken { reading: reading(&end), sha256, at }, reach)
    }
}

impl Begun {
    fn context(&self, internal_key: Option<InternalKey>, operation_id: Option<OperationId>) -> Context {
        Context { internal_key, operation_id, expected_sha256: None, cancel: self.cancel.clone() }
    }

    fn context_of(&self, order: &WriteOrder) -> Context {
        let expected_sha256 = order.basis.as_ref().and_then(|basis| basis.sha256);
        Context { expected_sha256, ..self.context(Some(order.record), Some(order.operation)) }
    }
}

/// What a run says of a source that it could not reach: nothing, if it was cut off.
fn out_of_reach(run: &Run, why: &str) -> Reach {
    if run.exit == Exit::Cancelled { Reach::Unknown } else { Reach::Unreachable(why.to_owned()) }
}

fn failed_to_reach(run: &Run, why: String) -> (Searched, Reach) {
    let reach = out_of_reach(run, &why);
    (Searched::Failed(Reading::Unreachable(why)), reach)
}

fn reading(end: &ReadEnd) -> Reading {
    match end {
        ReadEnd::Document { document, .. } => Reading::Present(document.clone()),
        ReadEnd::Missing(_) => Reading::Missing,
        ReadEnd::Unreachable(why) => Reading::Unreachable(why.clone()),
        ReadEnd::Broken(why) => Reading::Broken(why.clone()),
    }
}

fn result(end: WriteEnd, exit: Option<&Exit>) -> WriteResult {
    match end {
        WriteEnd::Done { key } => WriteResult::Done { key, stored: None },
        WriteEnd::Unreachable(why) => WriteResult::Unreachable(why),
        WriteEnd::Missing(why) => WriteResult::Missing(why),
        WriteEnd::Rejected(why) => WriteResult::Rejected(why),
        WriteEnd::Unknown(why) if exit == Some(&Exit::TimedOut) => WriteResult::TimedOut(why),
        WriteEnd::Unknown(why) => WriteResult::Unknown(why),
        WriteEnd::InDoubt(why) => WriteResult::InDoubt(why),
        WriteEnd::NotStarted(why) if matches!(exit, Some(Exit::NoRoom(_))) => WriteResult::Held(why),
        WriteEnd::NotStarted(why) => WriteResult::NotStarted(why),
        WriteEnd::Unsupported(why) => WriteResult::Unsupported(why),
    }
}
