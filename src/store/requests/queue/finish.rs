use crate::store::run::{Fault, Mode, Request, Session};

use super::{FinishItems};

impl Request for FinishItems {
    type Reply = ();

    const ACTION: &'static str = "end work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<(), Fault> {
        todo!()
    }
}
