use crate::store::run::{Fault, Mode, Request, Session};

use super::{Introduce, Introduced};

impl Request for Introduce {
    type Reply = Introduced;

    const ACTION: &'static str = "introduce a record";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<Introduced, Fault> {
        todo!()
    }
}
