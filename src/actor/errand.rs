//! What is done at a source: a reading, a write, a search.

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::plan::WriteResult;
use crate::domain::record::{OperationId, Reading};
use crate::source::visit::{Reach, Visitor};

pub use crate::source::visit::{Searched, Taken, WriteOrder, Written};

/// Something to be done at a source in one turn.
pub trait Errand: Send + Sync + 'static {
    /// What it gives.
    type Answer: Send + 'static;

    /// Does it; blocks until its processes are reaped.
    fn make(&self, visitor: &Visitor) -> (Self::Answer, Reach);

    /// What it gives if nothing was started.
    fn refused(&self, why: String) -> Self::Answer;

    /// What it gives if it was begun and its end is not known.
    fn lost(&self, why: String) -> Self::Answer;
}

/// Reads a copy.
pub struct Read {
    pub key: ForeignKey,
    pub record: Option<InternalKey>,
}

impl Errand for Read {
    type Answer = Taken;

    fn make(&self, visitor: &Visitor) -> (Taken, Reach) {
        visitor.read(&self.key, self.record)
    }

    fn refused(&self, why: String) -> Taken {
        Taken::none(Reading::Unreachable(why))
    }

    fn lost(&self, why: String) -> Taken {
        Taken::none(Reading::Broken(why))
    }
}

/// Makes a write, with what belongs to it in the same turn.
pub struct Write {
    pub order: WriteOrder,
    pub start: Start,
}

/// Puts on record that a program is about to be started; blocks until that is done, or says why it is not.
pub type Start = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Errand for Write {
    type Answer = Written;

    fn make(&self, visitor: &Visitor) -> (Written, Reach) {
        visitor.write(&self.order, &self.start)
    }

    fn refused(&self, why: String) -> Written {
        WriteResult::Held(why).into()
    }

    fn lost(&self, why: String) -> Written {
        WriteResult::lost(self.order.kind, why).into()
    }
}

/// Searches for an item that a create may have made.
pub struct Search {
    pub record: InternalKey,
    pub operation: OperationId,
    pub document: Json,
}

impl Errand for Search {
    type Answer = Searched;

    fn make(&self, visitor: &Visitor) -> (Searched, Reach) {
        visitor.search(self.record, self.operation, &self.document)
    }

    fn refused(&self, why: String) -> Searched {
        Searched::Failed(Reading::Unreachable(why))
    }

    fn lost(&self, why: String) -> Searched {
        Searched::Failed(Reading::Broken(why))
    }
}
