//! The contract between retcon and a data source: what an operation is given, and what its end means.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::model::{Severity, Source};
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::OperationId;

use super::lock::{Lock, LockError};
use super::process::Exit;
use super::process::cancel::Cancel;

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
}

/// The programs of one source of one entity.
#[derive(Debug, Clone)]
pub struct Program {
    entity: EntityName,
    source: Arc<Source>,
    state_dir: PathBuf,
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

/// What a read's end means. Each reason is for a person and names what was wrong and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadEnd {
    Document {
        document: Json,
        /// Of the bytes as printed, white space included.
        sha256: [u8; 32],
    },
    /// The copy does not exist (exit 2).
    Missing(String),
    /// The source could not be asked (exit 1, time-out, cancelled): no evidence of anything.
    Unreachable(String),
    /// The answer is none that the contract allows, or the program cannot be started.
    Broken(String),
}

/// What the end of a create, update or delete means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteEnd {
    Done {
        /// The key of what was created, or the different key of what was updated.
        key: Option<ForeignKey>,
    },
    /// Exit 1: whatever the program says, it may have taken effect.
    Unreachable(String),
    /// Exit 2 of an update: read again and see.
    Missing(String),
    /// Exit 3: the system refused it.
    Rejected(String),
    /// An update or delete with an end of no meaning: read again and see.
    Unknown(String),
    /// It may have taken effect, and no reading under a known key can tell.
    InDoubt(String),
    /// The program never ran.
    NotStarted(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// What a find's end means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindEnd {
    /// The keys of the items that are equal to the document; perhaps none.
    Keys(Vec<ForeignKey>),
    Unreachable(String),
    Broken(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// What a list's end means. Only [`ListEnd::Done`] says that the keys handed over were all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEnd {
    Done,
    /// Whoever took the keys wanted no more.
    Stopped,
    Unreachable(String),
    Broken(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// What is logged of one invocation.
#[derive(Debug, Clone)]
pub struct Run {
    pub entity: EntityName,
    pub source: SourceName,
    pub operation: Operation,
    /// `None` where the configuration has no command for it.
    pub program: Option<PathBuf>,
    pub foreign_key: Option<ForeignKey>,
    pub internal_key: Option<InternalKey>,
    pub exit: Exit,
    pub elapsed: Duration,
    /// Control characters made visible, newlines kept.
    pub stderr: String,
    pub severity: Severity,
    /// The fixed phrase of the log event.
    pub message: &'static str,
    /// The reason, where the end is not good.
    pub error: Option<String>,
}

/// A source's turn: its lock, held over as many invocations as its holder wants.
///
/// Whoever runs the invocations holds it until their processes are reaped: move it to the thread that blocks on them.
#[derive(Debug)]
pub struct Turn {
    program: Arc<Program>,
    _lock: Lock,
}

impl Program {
    /// Names the programs of `source`, whose lock is kept below `state_dir`.
    pub fn new(entity: EntityName, source: Arc<Source>, state_dir: &Path) -> Self {
        Self { entity, source, state_dir: state_dir.to_owned() }
    }

    /// Waits for the source's turn, until cancelled.
    ///
    /// # Errors
    /// The lock cannot be had, or the wait was cancelled; nothing ran.
    pub fn turn(self: &Arc<Self>, cancel: &Cancel) -> Result<Turn, LockError> {
        let lock = Lock::take(&self.state_dir, &self.entity, &self.source.name, cancel)?;
        Ok(Turn { program: Arc::clone(self), _lock: lock })
    }

    /// Hands the source's keys to `on_key` one by one as they are printed; needs no turn.
    ///
    /// `on_key` runs between two looks at the process: while it blocks, no deadline is watched.
    pub fn list(&self, context: &Context, on_key: &mut dyn FnMut(ForeignKey) -> ControlFlow<()>) -> Answer<ListEnd> {
        todo!()
    }
}

impl Turn {
    /// Reads the copy under `key`.
    pub fn read(&mut self, key: &ForeignKey, context: &Context) -> Answer<ReadEnd> {
        todo!()
    }

    /// Creates a copy.
    pub fn create(&mut self, document: &Json, context: &Context) -> Answer<WriteEnd> {
        todo!()
    }

    /// Replaces the copy under `key`.
    pub fn update(&mut self, key: &ForeignKey, document: &Json, context: &Context) -> Answer<WriteEnd> {
        todo!()
    }

    /// Deletes the copy under `key`; that there is none is success too.
    pub fn delete(&mut self, key: &ForeignKey, context: &Context) -> Answer<WriteEnd> {
        todo!()
    }

    /// Asks for the keys of the items that are equal to `document`.
    pub fn find(&mut self, document: &Json, context: &Context) -> Answer<FindEnd> {
        todo!()
    }
}

impl Context {
    /// Returns the context of an invocation by hand: it is told nothing, and nobody cancels it.
    pub fn by_hand() -> Self {
        Self { internal_key: None, operation_id: None, expected_sha256: None, cancel: Cancel::never() }
    }
}

impl WriteEnd {
    /// Tells whether the attempt may have taken effect, so that a copy found missing afterwards is in doubt.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Unreachable(_) | Self::Unknown(_) | Self::InDoubt(_) => true,
            Self::Missing(_) | Self::Rejected(_) | Self::NotStarted(_) | Self::Unsupported(_) => false,
        }
    }
}

/// Nothing ran: a read without its turn is unreachable if it was cancelled, else broken.
impl From<&LockError> for ReadEnd {
    fn from(error: &LockError) -> Self {
        todo!()
    }
}

/// Nothing ran.
impl From<&LockError> for WriteEnd {
    fn from(error: &LockError) -> Self {
        todo!()
    }
}
