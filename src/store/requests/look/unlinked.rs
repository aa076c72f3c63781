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
        let rows = session.list(sql, &[&entity, &source, &keys, &self.operation.0]).await?;
        let unlinked = rows.iter().map(|row| Ok((get::<&str>(row, "key")?, get::<bool>(row, "is_older")?)));
        let unlinked: BTreeMap<&str, bool> = unlinked.collect::<Result<_, Fault>>()?;
        let found = |key: &ForeignKey| Some(Unlinked { key: key.clone(), is_older: *unlinked.get(key.as_str())? });
        let mut found: Vec<Unlinked> = self.keys.iter().filter_map(found).collect();
        if self.most_told > 0 {
            let sql = include_str!("../../sql/foreign_key/list_told.sql");
            let rows = session.list(sql, &[&entity, &source, &self.operation.0, &i64::from(self.most_told)]).await?;
            let told: Vec<ForeignKey> = rows.iter().map(|row| parsed(row, "key")).collect::<Result<_, _>>()?;
            let told = told.into_iter().filter(|key| !self.keys.contains(key));
            found.extend(told.map(|key| Unlinked { key, is_older: false }));
        }
        Ok(found)
    }
}
