use crate::store::run::{Fault, Mode, Request, Session};

use super::{DropWorkItem, FindWorkItem, Handled, ListWorkItems, Page, RetryWorkItem, WorkItemRow};

impl Request for ListWorkItems {
    type Reply = Page<WorkItemRow>;

    const ACTION: &'static str = "list work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Page<WorkItemRow>, Fault> {
        todo!()
    }
}

impl Request for FindWorkItem {
    type Reply = Option<WorkItemRow>;

    const ACTION: &'static str = "find work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Option<WorkItemRow>, Fault> {
        todo!()
    }
}

impl Request for RetryWorkItem {
    type Reply = Handled;

    const ACTION: &'static str = "retry work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Handled, Fault> {
        todo!()
    }
}

impl Request for DropWorkItem {
    type Reply = Handled;

    const ACTION: &'static str = "drop work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Handled, Fault> {
        todo!()
    }
}
