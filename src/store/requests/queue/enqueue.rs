use crate::store::run::{Fault, Mode, Request, Session};

use super::{Enqueue, EnqueueRecord, Enqueued};

impl Request for Enqueue {
    type Reply = Vec<Enqueued>;

    const ACTION: &'static str = "store notifications";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Vec<Enqueued>, Fault> {
        todo!()
    }
}

impl Request for EnqueueRecord {
    type Reply = Option<Enqueued>;

    const ACTION: &'static str = "store work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Option<Enqueued>, Fault> {
        todo!()
    }
}
