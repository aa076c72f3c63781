//! Work by what it is about, and a person's word about much of it at once.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use crate::domain::name::{EntityName, SourceName};
use crate::store::columns::{Word, get, parsed};
use crate::store::requests::repeatable::{Effect, Effective};
use crate::store::requests::view::{Page, WorkItemRow, WorkState, work_item_row};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{
    AT_ONCE, BrowseWork, CountParked, HandleParked, HandledItems, Handling, LOOKED_THROUGH, Parked, WorkFilter,
    narrowed,
};

const LIST: &str = include_str!("../../sql/work_item/list_narrowed.sql");
const SKIP: &str = include_str!("../../sql/work_item/skip.sql");
const COUNT: &str = include_str!("../../sql/work_item/count_parked.sql");
const LOCK_PARKED: &str = include_str!("../../sql/work_item/lock_parked.sql");
const RETRY: &str = include_str!("../../sql/work_item/retry.sql");
const DROP: &str = include_str!("../../sql/work_item/drop.sql");

/// How many parked items are looked through for those that are meant.
const PARKED_LOOKED_THROUGH: i64 = 10 * AT_ONCE;

/// So many are shown of those that are counted.
const SHOWN: i64 = 20;

impl WorkFilter {
    fn words(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let entity = self.entity.as_ref().map(|entity| entity.as_str());
        (entity, self.source.as_ref().map(SourceName::as_str), self.reason.as_deref())
    }
}

impl Request for BrowseWork {
    type Reply = Page<WorkItemRow>;

    const ACTION: &'static str = "look for work";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<WorkItemRow>, Fault> {
        let items = list(session, self, LOOKED_THROUGH).await?;
        let skipped = LOOKED_THROUGH - 1;
        let end = match i64::try_from(items.len()) {
            Ok(found) if found <= self.limit => {
                let row = session.find(SKIP, &[&self.state.word(), &self.after, &skipped]).await?;
                row.as_ref().map(|row| get(row, "id")).transpose()?
            }
            Ok(_) | Err(_) => None,
        };
        Ok(narrowed(items, self.limit, end, |item| item.id.0))
    }
}

async fn list(session: &Session<'_>, asked: &BrowseWork, through: i64) -> Result<Vec<WorkItemRow>, Fault> {
    let (entity, source, reason) = asked.filter.words();
    let fetched = asked.limit.saturating_add(1);
    let state = asked.state.word();
    let rows = session.list(LIST, &[&asked.after, &fetched, &state, &entity, &source, &reason, &through]).await?;
    rows.iter().map(work_item_row).collect()
}

impl Request for CountParked {
    type Reply = Parked;

    const ACTION: &'static str = "count parked work";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Parked, Fault> {
        let (entity, source, reason) = self.filter.words();
        let counted =
            session.find(COUNT, &[&0_i64, &entity, &source, &reason, &AT_ONCE, &PARKED_LOOKED_THROUGH]).await?;
        let counted = counted.ok_or(Fault::Moved)?;
        let first = BrowseWork { state: WorkState::Parked, filter: self.filter.clone(), after: 0, limit: SHOWN - 1 };
        let first = list(session, &first, PARKED_LOOKED_THROUGH).await?;
        Ok(Parked { items: get(&counted, "items")?, last: get(&counted, "last")?, first })
    }
}

impl Request for HandleParked {
    type Reply = HandledItems;

    const ACTION: &'static str = "handle parked work";

    async fn attempt(&self, session: &Session<'_>) -> Result<HandledItems, Fault> {
        let (entity, source, reason) = self.filter.words();
        let meant: [&(dyn ToSql + Sync); 6] = [&self.last, &entity, &source, &reason, &AT_ONCE, &PARKED_LOOKED_THROUGH];
        let locked = session.list(LOCK_PARKED, &meant).await?;
        let locked = locked.iter().map(|row| get(row, "id")).collect::<Result<Vec<i64>, _>>()?;
        let sql = match self.handling {
            Handling::Retry => RETRY,
            Handling::Drop => DROP,
        };
        let mut handled: BTreeMap<EntityName, i64> = BTreeMap::new();
        for row in session.list(sql, &[&locked]).await? {
            *handled.entry(parsed(&row, "entity")?).or_default() += 1;
        }
        Ok(handled.into_iter().collect())
    }
}

impl Effective for HandleParked {
    // Also if there are none: those that are parked later are not meant.
    fn effect(_: &HandledItems) -> Option<Effect> {
        Some(Effect::Done)
    }
}
