use std::collections::BTreeMap;

use crate::domain::name::EntityName;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{CountAll, Counts};

impl Request for CountAll {
    type Reply = BTreeMap<EntityName, Counts>;

    const ACTION: &'static str = "count";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<BTreeMap<EntityName, Counts>, Fault> {
        todo!()
    }
}
