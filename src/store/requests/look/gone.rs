use crate::domain::name::SourceName;
use crate::domain::plan::Gone;
use crate::store::columns::{document, parsed};
use crate::store::run::{Fault, Mode, Request, Session};

use super::ListGone;

const LIST_GONE: &str = include_str!("../../sql/foreign_key/list_gone.sql");

impl Request for ListGone {
    type Reply = Vec<(SourceName, Gone)>;

    const ACTION: &'static str = "list lost copies";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<(SourceName, Gone)>, Fault> {
        let rows = session.list(LIST_GONE, &[&self.entity.as_str(), &self.record.0]).await?;
        rows.iter()
            .map(|row| {
                Ok((parsed(row, "source")?, Gone { key: parsed(row, "key")?, document: document(row, "document")? }))
            })
            .collect()
    }
}
