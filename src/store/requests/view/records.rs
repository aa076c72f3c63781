use crate::domain::history::Version;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ListHistory, ListRecords, Page, RecordRow, RecordView, ShowRecord};

impl Request for ListRecords {
    type Reply = Page<RecordRow>;

    const ACTION: &'static str = "list records";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Page<RecordRow>, Fault> {
        todo!()
    }
}

impl Request for ShowRecord {
    type Reply = Option<RecordView>;

    const ACTION: &'static str = "show a record";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Option<RecordView>, Fault> {
        todo!()
    }
}

impl Request for ListHistory {
    type Reply = Page<Version>;

    const ACTION: &'static str = "list history";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Page<Version>, Fault> {
        todo!()
    }
}
