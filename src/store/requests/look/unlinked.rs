use std::collections::BTreeSet;

use crate::domain::key::ForeignKey;
use crate::store::run::{Fault, Mode, Request, Session};

use super::ListUnlinked;

impl Request for ListUnlinked {
    type Reply = Vec<ForeignKey>;

    const ACTION: &'static str = "list unlinked keys";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<ForeignKey>, Fault> {
        let keys: Vec<&str> = self.keys.iter().map(ForeignKey::as_str).collect();
        let sql = include_str!("../../sql/foreign_key/list_unlinked.sql");
        let rows = session.list(sql, &[&self.entity.as_str(), &self.source.as_str(), &keys]).await?;
        let unlinked: BTreeSet<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(self.keys.iter().filter(|key| unlinked.contains(key.as_str())).cloned().collect())
    }
}
