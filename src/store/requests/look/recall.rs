use crate::domain::record::Known;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{FindRival, Recall, RecallUnknown, UnknownKey};

impl Request for Recall {
    type Reply = Option<Known>;

    const ACTION: &'static str = "recall a record";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Option<Known>, Fault> {
        todo!()
    }
}

impl Request for RecallUnknown {
    type Reply = UnknownKey;

    const ACTION: &'static str = "recall an unknown key";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<UnknownKey, Fault> {
        todo!()
    }
}

impl Request for FindRival {
    type Reply = bool;

    const ACTION: &'static str = "look for a match";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<bool, Fault> {
        todo!()
    }
}
