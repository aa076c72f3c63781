use crate::store::run::{Fault, Mode, Request, Session};

use super::{Claim, Claimed};

impl Request for Claim {
    type Reply = Claimed;

    const ACTION: &'static str = "claim work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Claimed, Fault> {
        todo!()
    }
}
