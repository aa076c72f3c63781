use crate::store::run::{Fault, Mode, Request, Session};

use super::{RecordResults};

impl Request for RecordResults {
    type Reply = ();

    const ACTION: &'static str = "record results";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<(), Fault> {
        todo!()
    }
}
