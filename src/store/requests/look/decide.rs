use crate::store::run::{Fault, Mode, Request, Session};

use super::{Decide};

impl Request for Decide {
    type Reply = bool;

    const ACTION: &'static str = "record a decision";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<bool, Fault> {
        todo!()
    }
}
