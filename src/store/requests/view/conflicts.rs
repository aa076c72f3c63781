use crate::store::run::{Fault, Mode, Request, Session};

use super::{ConflictRow, FindConflict, ListConflicts, Page};

impl Request for ListConflicts {
    type Reply = Page<ConflictRow>;

    const ACTION: &'static str = "list conflicts";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Page<ConflictRow>, Fault> {
        todo!()
    }
}

impl Request for FindConflict {
    type Reply = Option<ConflictRow>;

    const ACTION: &'static str = "find a conflict";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Option<ConflictRow>, Fault> {
        todo!()
    }
}
