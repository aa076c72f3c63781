//! The contract between retcon and a data source: what an operation is given, and what its end means.

mod end;
mod run;
mod command;
mod output;
mod secrets;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::model::Source;
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::EntityName;
use crate::domain::record::OperationId;
use crate::points::{self, Point};

use super::guardian::Guardian;
use super::lock::{Lock, LockError};
use super::log::visible;
use super::process::cancel::Cancel;
use super::process::{self, Ended, Exit, Limits, Stdout, Variables};
use end::{Facts, Verdict};
use output::{BadKey, Bounded, Keys};

pub(in crate::source) use command::inherited;
pub use end::{FindEnd, ListEnd, ReadEnd, WriteEnd};
pub use run::Run;

/// The most that a program may print, but for a list.
const STDOUT: usize = 16 << 20;

/// How much of a program's stderr is kept.
const STDERR: usize = 64 << 10;

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long what a program left running may hold its pipes.
const DRAIN: Duration = Duration::from_millis(250);

/// How much of a program's last words goes into a reason, in characters.
const LAST_WORDS: usize = 300;

/// What a source can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Create,
    Read,
    Update,
    Delete,
    List,
    Find,
}

/// The programs of one source of one entity.
#[derive(Debug, Clone)]
pub struct Program {
    entity: EntityName,
    source: Arc<Source>,
    /// What every run has in its environment.
    kept: Arc<Variables>,
    state_dir: PathBuf,
    guardian: Option<Guardian>,
}

/// What an invocation is told besides its key and document; each goes into its environment where it applies.
#[derive(Debug, Clone)]
pub struct Context {
    pub internal_key: Option<InternalKey>,
    pub operation_id: Option<OperationId>,
    /// Of the bytes that the read printed on which an update or delete rests.
    pub expected_sha256: Option<[u8; 32]>,
    pub cancel: Cancel,
}

/// The end of an invocation: what it means, and what is to be logged of it.
#[derive(Debug)]
pub struct Answer<E> {
    pub end: E,
    pub run: Run,
}

/// A source's turn: its lock, held over as many invocations as its holder wants.
///
/// Whoever runs the invocations holds it until their processes are reaped: move it to the thread that blocks on them.
#[derive(Debug)]
pub struct Turn {
    program: Arc<Program>,
    _lock: Lock,
}

/// One thing to be done.
#[derive(Clone, Copy)]
struct Task<'a> {
    operation: Operation,
    key: Option<&'a ForeignKey>,
    document: Option<&'a Json>,
}

impl Program {
    /// Names the programs of `source`, whose lock is kept below `state_dir`.
    pub fn new(entity: EntityName, source: Arc<Source>, state_dir: &Path) -> Self {
        let kept = Arc::new(command::kept(&source));
        Self { entity, source, kept, state_dir: state_dir.to_owned(), guardian: None }
    }

    /// Has what is run end with this process, however that ends.
    #[must_use]
    pub fn guarded_by(self, guardian: Option<Guardian>) -> Self {
        Self { guardian, ..self }
    }

    /// Names the entity whose copies it serves.
    pub fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// Waits for the source's turn, until cancelled.
    ///
    /// # Errors
    /// The lock cannot be had, or the wait was cancelled; nothing ran.
    pub fn turn(self: &Arc<Self>, cancel: &Cancel) -> Result<Turn, LockError> {
        let lock = Lock::take(&self.state_dir, &self.entity, &self.source.name, cancel)?;
        Ok(Turn { program: Arc::clone(self), _lock: lock })
    }

    /// Gives the source's turn, if it is nobody's.
    ///
    /// # Errors
    /// The lock cannot be had; nothing ran.
    pub fn turn_at_once(self: &Arc<Self>) -> Result<Option<Turn>, LockError> {
        let lock = Lock::take_at_once(&self.state_dir, &self.entity, &self.source.name)?;
        Ok(lock.map(|lock| Turn { program: Arc::clone(self), _lock: lock }))
    }

    /// Hands the source's keys to `on_key` one by one as they are printed; needs no turn.
    ///
    /// `on_key` runs between two looks at the process: while it blocks, no deadline is watched.
    pub fn list(&self, context: &Context, on_key: &mut dyn FnMut(ForeignKey) -> ControlFlow<()>) -> Answer<ListEnd> {
        let task = Task { operation: Operation::List, key: None, document: None };
        let mut keys = Keys::new(on_key);
        let Some(mut ended) = self.invoke(task, context, &mut keys) else {
            return self.unsupported(task, context, ListEnd::Unsupported);
        };
        if ended.exit == Exit::Status(0) {
            keys.finish();
        }
        if keys.trouble == Some(BadKey::Unwanted) {
            ended.exit = Exit::Cancelled;
        }
        self.answer(task, context, &ended, &[], |facts| end::list(keys.trouble, facts))
    }

    /// Runs the program for `task`; `None` if there is none.
    fn invoke(&self, task: Task<'_>, context: &Context, stdout: &mut dyn Stdout) -> Option<Ended> {
        let command = command::command(&self.source, task.operation)?;
        if context.cancel.is_triggered() {
            let exit = if task.operation.changes_something() {
                Exit::NotStarted("cancelled before that".to_owned())
            } else {
                Exit::Cancelled
            };
            return Some(Ended::at_once(exit));
        }
        let spec = command::spec(self, command, task, context);
        let deadline = match task.operation {
            Operation::List => self.source.list_timeout,
            Operation::Create | Operation::Read | Operation::Update | Operation::Delete | Operation::Find => {
                self.source.timeout
            }
        };
        let limits = Limits { deadline, grace: GRACE, drain: DRAIN, stderr: STDERR };
        let ended = process::run(&spec, &limits, &context.cancel, self.guardian.as_ref(), stdout);
        if task.operation.changes_something() {
            points::pass(Point::Ran);
        }
        Some(ended)
    }

    /// Reads the end of a process by `judge`, and puts the report on it together.
    fn answer<E>(
        &self,
        task: Task<'_>,
        context: &Context,
        ended: &Ended,
        stdout: &[u8],
        judge: impl FnOnce(Facts<'_>) -> Verdict<E>,
    ) -> Answer<E> {
        let stderr = visible(&secrets::hide(&self.source.env, &ended.stderr), ended.stderr_dropped);
        let reason = reason(&ended.exit, &stderr);
        let verdict = judge(Facts { exit: &ended.exit, stdout, reason });
        let (severity, message) = run::event(task.operation, &ended.exit, verdict.complaint.as_deref());
        let run = Run {
            entity: self.entity.clone(),
            source: self.source.name.clone(),
            operation: task.operation,
            program: command::command(&self.source, task.operation).map(|command| command.program.clone()),
            foreign_key: task.key.cloned(),
            internal_key: context.internal_key,
            exit: ended.exit.clone(),
            elapsed: ended.elapsed,
            stdout: if task.operation.changes_something() { self.beginning(stdout) } else { String::new() },
            stderr,
            severity,
            message,
            error: verdict.complaint,
        };
        Answer { end: verdict.end, run }
    }

    /// Gives the first of what a program printed, and says what of it is left out.
    fn beginning(&self, stdout: &[u8]) -> String {
        let stdout = secrets::hide(&self.source.env, stdout);
        let (first, rest) = stdout.split_at(stdout.len().min(run::KEPT));
        let text = visible(first, 0);
        if rest.is_empty() { text } else { format!("{text} [{} bytes left out]", rest.len()) }
    }

    /// Returns the answer where the configuration has no command.
    fn unsupported<E>(&self, task: Task<'_>, context: &Context, end: impl FnOnce(String) -> E) -> Answer<E> {
        let why = format!("the configuration has no command for {}", task.operation.as_str());
        let ended = Ended::at_once(Exit::NotStarted(why.clone()));
        self.answer(task, context, &ended, &[], |_| Verdict { end: end(why.clone()), complaint: Some(why) })
    }
}

impl Turn {
    /// Reads the copy under `key`.
    pub fn read(&mut self, key: &ForeignKey, context: &Context) -> Answer<ReadEnd> {
        let task = Task { operation: Operation::Read, key: Some(key), document: None };
        self.perform(task, context, end::read, ReadEnd::Broken)
    }

    /// Creates a copy.
    pub fn create(&mut self, document: &Json, context: &Context) -> Answer<WriteEnd> {
        let task = Task { operation: Operation::Create, key: None, document: Some(document) };
        self.perform(task, context, end::create, WriteEnd::Unsupported)
    }

    /// Replaces the copy under `key`.
    pub fn update(&mut self, key: &ForeignKey, document: &Json, context: &Context) -> Answer<WriteEnd> {
        let task = Task { operation: Operation::Update, key: Some(key), document: Some(document) };
        self.perform(task, context, |facts| end::update(key, facts), WriteEnd::Unsupported)
    }

    /// Deletes the copy under `key`; that there is none is success too.
    pub fn delete(&mut self, key: &ForeignKey, context: &Context) -> Answer<WriteEnd> {
        let task = Task { operation: Operation::Delete, key: Some(key), document: None };
        self.perform(task, context, end::delete, WriteEnd::Unsupported)
    }

    /// Asks for the keys of the items that are equal to `document`.
    pub fn find(&mut self, document: &Json, context: &Context) -> Answer<FindEnd> {
        let task = Task { operation: Operation::Find, key: None, document: Some(document) };
        self.perform(task, context, end::find, FindEnd::Unsupported)
    }

    fn perform<E>(
        &mut self,
        task: Task<'_>,
        context: &Context,
        judge: impl FnOnce(Facts<'_>) -> Verdict<E>,
        unsupported: impl FnOnce(String) -> E,
    ) -> Answer<E> {
        let mut stdout = Bounded::new(STDOUT);
        match self.program.invoke(task, context, &mut stdout) {
            Some(ended) => self.program.answer(task, context, &ended, &stdout.bytes, judge),
            None => self.program.unsupported(task, context, unsupported),
        }
    }
}

impl Context {
    /// Returns the context of an invocation that is told nothing, and that nobody cancels.
    pub fn empty() -> Self {
        Self { internal_key: None, operation_id: None, expected_sha256: None, cancel: Cancel::never() }
    }
}

impl Operation {
    /// Returns its name, as programs get it in `RETCON_OPERATION`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Find => "find",
        }
    }

    /// Tells whether it may change the system.
    pub fn changes_something(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

    /// Tells whether it is about a copy that exists, named by its key.
    pub fn has_key(self) -> bool {
        matches!(self, Self::Read | Self::Update | Self::Delete)
    }

    /// Tells whether it changes a copy that was read before.
    fn rests_on_a_read(self) -> bool {
        self.has_key() && self.changes_something()
    }
}

/// Says how a process ended, with its last words if it had any.
fn reason(exit: &Exit, stderr: &str) -> String {
    match stderr.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => format!("{exit}: {}", line.chars().take(LAST_WORDS).collect::<String>()),
        None => exit.to_string(),
    }
}
