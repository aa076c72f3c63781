//! Conflicts that are decided at once, and what becomes of them.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::store::columns::{Word, get, parsed, time, unreadable, word};
use crate::store::encoding::{decode, encode};
use crate::store::requests::queue::{Order, Together, WorkItemId};
use crate::store::requests::view::{Page, page};
use crate::store::run::{Fault, Mode, Request, Session};

use super::conflicts::sources;
use super::{BatchId, BatchItem, BatchRow, FindBatch, ListBatch, OrderAlike};

const CREATE: &str = include_str!("../../sql/batch/create.sql");
const FIND_OF_FORM: &str = include_str!("../../sql/batch/find_of_form.sql");
const FIND: &str = include_str!("../../sql/batch/find.sql");
const ORDER_MANY: &str = include_str!("../../sql/work_item/order_many.sql");
const LIST: &str = include_str!("../../sql/work_item/list_of_batch.sql");

impl Request for OrderAlike {
    type Reply = BatchId;

    const ACTION: &'static str = "store orders";

    async fn attempt(&self, session: &Session<'_>) -> Result<BatchId, Fault> {
        let names = self.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(",");
        let orders = i64::try_from(self.shown.len()).unwrap_or(i64::MAX);
        let (path, decision) = (encode(&self.path), encode(&self.decision));
        let entity = self.entity.as_str();
        let created =
            session.find(CREATE, &[&self.form, &entity, &path, &self.kind.word(), &names, &decision, &orders]).await?;
        let Some(created) = created else {
            let found = session.find(FIND_OF_FORM, &[&self.form]).await?.ok_or(Fault::Moved)?;
            return Ok(BatchId(get(&found, "id")?));
        };
        let id: i64 = get(&created, "id")?;
        let order = |(conflict, revision): &(i64, i64)| {
            let (conflict, revision, decision) = (*conflict, *revision, self.decision.clone());
            let together = Some(Together { batch: id, who: self.who.clone() });
            (conflict, encode(&Order::Resolve { conflict, revision, decision, together }))
        };
        let (conflicts, commands): (Vec<_>, Vec<_>) = self.shown.iter().map(order).unzip();
        session.execute(ORDER_MANY, &[&entity, &conflicts, &commands, &id]).await?;
        Ok(BatchId(id))
    }
}

impl Request for FindBatch {
    type Reply = Option<BatchRow>;

    const ACTION: &'static str = "find a batch";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<BatchRow>, Fault> {
        session.find(FIND, &[&self.id.0]).await?.as_ref().map(batch_row).transpose()
    }
}

fn batch_row(row: &Row) -> Result<BatchRow, Fault> {
    Ok(BatchRow {
        id: BatchId(get(row, "id")?),
        entity: parsed(row, "entity")?,
        path: decode(&get(row, "path")?).map_err(|error| unreadable("path", error))?,
        kind: word(row, "kind")?,
        sources: sources(row)?,
        decision: decode(&get(row, "decision")?).map_err(|error| unreadable("decision", error))?,
        orders: get(row, "orders")?,
        at: time(get::<Timestamp>(row, "at")?),
        applied: get(row, "applied")?,
        refused: get(row, "refused")?,
        parked: get(row, "parked")?,
        coming: get(row, "coming")?,
    })
}

impl Request for ListBatch {
    type Reply = Page<BatchItem>;

    const ACTION: &'static str = "list the orders of a batch";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<BatchItem>, Fault> {
        let rows = session.list(LIST, &[&self.id.0, &self.after, &self.limit.saturating_add(1)]).await?;
        let item = |row: &Row| {
            Ok(BatchItem {
                item: WorkItemId(get(row, "id")?),
                record: InternalKey(get(row, "record")?),
                state: word(row, "state")?,
                outcome: get(row, "outcome")?,
                last_error: get(row, "last_error")?,
            })
        };
        page(&rows, self.limit, item, |item| item.item.0)
    }
}
