//! What people did, by who did it, what it was, and to what it was done.

use tokio_postgres::Row;

use crate::store::columns::{Word, get};
use crate::store::requests::access::{ActRow, act_row};
use crate::store::requests::view::Page;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ActOutcome, BrowseActs, LOOKED_THROUGH, narrowed};

const LIST: &str = include_str!("../../sql/audit/list_narrowed.sql");
const SKIP: &str = include_str!("../../sql/audit/skip.sql");
const LIST_OF_TARGETS: &str = include_str!("../../sql/audit/list_of_targets.sql");

impl Request for BrowseActs {
    type Reply = Page<ActRow>;

    const ACTION: &'static str = "look through the audit trail";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<ActRow>, Fault> {
        let below = if self.after == 0 { i64::MAX } else { self.after };
        let (fetched, outcome) = (self.limit.saturating_add(1), self.outcome.map(Word::word));
        let rows = session.list(LIST, &[&below, &fetched, &self.who, &self.act, &outcome, &LOOKED_THROUGH]).await?;
        let acts = rows.iter().map(act_row).collect::<Result<Vec<_>, _>>()?;
        let end = match i64::try_from(acts.len()) {
            Ok(found) if found <= self.limit => {
                let row = session.find(SKIP, &[&below, &(LOOKED_THROUGH - 1)]).await?;
                row.as_ref().map(|row| get(row, "id")).transpose()?
            }
            Ok(_) | Err(_) => None,
        };
        Ok(narrowed(acts, self.limit, end, |act| act.id.0))
    }
}

/// Lists what people did to some things, from a number on downwards.
pub(super) async fn list_of(
    session: &Session<'_>,
    targets: &Vec<String>,
    below: i64,
    limit: i64,
) -> Result<Vec<ActRow>, Fault> {
    session.list(LIST_OF_TARGETS, &[targets, &below, &limit]).await?.iter().map(|row: &Row| act_row(row)).collect()
}

impl Word for ActOutcome {
    const ALL: &'static [Self] = &[Self::Done, Self::Refused, Self::Unknown];

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
