//! How much there is of everything.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::domain::name::EntityName;
use crate::store::columns::{get, parsed};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{CountAll, Counts};

const COUNT: &str = include_str!("../../sql/entity/count.sql");

impl Request for CountAll {
    type Reply = BTreeMap<EntityName, Counts>;

    const ACTION: &'static str = "count";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<BTreeMap<EntityName, Counts>, Fault> {
        session.list(COUNT, &[]).await?.iter().map(counts).collect()
    }
}

fn counts(row: &Row) -> Result<(EntityName, Counts), Fault> {
    let counts = Counts {
        ready: get(row, "ready")?,
        running: get(row, "running")?,
        waiting: get(row, "waiting")?,
        parked: get(row, "parked")?,
        oldest_s: get(row, "oldest_s")?,
        records: get(row, "records")?,
        conflicts: get(row, "conflicts")?,
        in_doubt: get(row, "in_doubt")?,
        deletes_held: get(row, "deletes_held")?,
    };
    Ok((parsed(row, "entity")?, counts))
}
