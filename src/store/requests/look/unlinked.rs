//! What a create may have made, as far as its keys tell.

use std::collections::BTreeMap;

use crate::domain::key::ForeignKey;
use crate::store::columns::{get, parsed};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ListUnlinked, Unlinked};

impl Request for ListUnlinked {
    type Reply = Vec<Unlinked>;

    const ACTION: &'static str = "list unlinked keys";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Unlinked>, Fault> {
        let keys: Vec<&str> = self.keys.iter().map(ForeignKey::as_str).collect();
        let sql = include_str!("../../sql/foreign_key/list_unlinked.sql");
        let (entity, source) = (self.entity.as_str(), self.source.as_str());
        let rows = session.list(sql, &[&entity, &source, &keys, &self.operation.0, &self.told]).await?;
        let unlinked = rows.iter().map(|row| Ok((parsed(row, "key")?, get::<bool>(row, "is_older")?)));
        let mut unlinked: BTreeMap<ForeignKey, bool> = unlinked.collect::<Result<_, Fault>>()?;
        let asked = self.keys.iter().filter_map(|key| unlinked.remove_entry(key)).collect::<Vec<_>>();
        let found = asked.into_iter().chain(unlinked);
        Ok(found.map(|(key, is_older)| Unlinked { key, is_older }).collect())
    }
}
