//! How work comes into the queue.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use crate::points::{Mistake, STORED, bent};
use crate::store::columns::{get, parsed};
use crate::store::encoding::encode;
use crate::store::requests::repeatable::{Effect, Effective};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{Enqueue, EnqueueRecord, Enqueued, Notification, WorkItemId};

pub(super) const NOTIFY: &str = include_str!("../../sql/work_item/notify.sql");
const ASK: &str = include_str!("../../sql/work_item/ask.sql");
const ORDER: &str = include_str!("../../sql/work_item/order.sql");

impl Request for Enqueue {
    type Reply = Vec<Enqueued>;

    const ACTION: &'static str = "store notifications";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Enqueued>, Fault> {
        // Sorted, and each once.
        let wanted: BTreeSet<&Notification> = self.notifications.iter().collect();
        let entities: Vec<&str> = wanted.iter().map(|each| each.entity.as_str()).collect();
        let sources: Vec<&str> = wanted.iter().map(|each| each.source.as_str()).collect();
        let keys: Vec<&str> = wanted.iter().map(|each| each.key.as_str()).collect();
        let notify = bent(Mistake::CoalesceIntoRunning, NOTIFY, STORED[0], STORED[1]);
        let rows = session.list(notify, &[&entities, &sources, &keys]).await?;
        let mut stored = rows.iter().map(stored).collect::<Result<BTreeMap<_, _>, _>>()?;
        let answer = |notification: &Notification| {
            let enqueued = stored.get_mut(notification).expect("every notification was stored or the statement failed");
            let answer = enqueued.clone();
            // Whatever asks for the same once more in this request coalesces with this one.
            enqueued.coalesced = true;
            answer
        };
        Ok(self.notifications.iter().map(answer).collect())
    }
}

fn stored(row: &Row) -> Result<(Notification, Enqueued), Fault> {
    let notification = Notification {
        entity: parsed(row, "entity")?,
        source: parsed(row, "source")?,
        key: parsed(row, "foreign_key")?,
    };
    Ok((notification, enqueued(row)?))
}

pub(super) fn enqueued(row: &Row) -> Result<Enqueued, Fault> {
    Ok(Enqueued { id: WorkItemId(get(row, "id")?), coalesced: get(row, "coalesced")? })
}

impl Request for EnqueueRecord {
    type Reply = Option<Enqueued>;

    const ACTION: &'static str = "store work";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<Enqueued>, Fault> {
        let (entity, record) = (self.entity.as_str(), self.record.0);
        let row = match &self.order {
            None => session.find(ASK, &[&entity, &vec![record]]).await?,
            Some(order) => session.find(ORDER, &[&entity, &record, &encode(order)]).await?,
        };
        row.as_ref().map(enqueued).transpose()
    }
}

impl Effective for EnqueueRecord {
    fn effect(reply: &Option<Enqueued>) -> Option<Effect> {
        reply.as_ref().map(|enqueued| Effect::Ordered(enqueued.id))
    }
}
