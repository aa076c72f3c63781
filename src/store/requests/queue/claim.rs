//! How work is taken out of the queue.

use std::time::Duration;

use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::points::{Mistake, bent};
use crate::store::columns::{JsonText, get, parsed, unreadable};
use crate::store::encoding::decode;
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::{Claim, Claimed, ClaimedItem, ClaimedLook, Subject, WorkItemId};

const LOCK: &str = include_str!("../../sql/entity/lock_for_claim.sql");
const CLAIM: &str = include_str!("../../sql/work_item/claim.sql");

impl Request for Claim {
    type Reply = Claimed;

    const ACTION: &'static str = "claim work";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Claimed, Fault> {
        let entity = self.entity.as_str().to_owned();
        // The second statement sees what the lock has waited for.
        let lock = Step::holding(LOCK, [Box::new(entity.clone())]);
        let claim = bent(Mistake::IgnoreOwnCreate, CLAIM, "'in-flight'", "'nothing'");
        let claim = Step::new(claim, [Box::new(entity), Box::new(self.limit.max(0))]);
        let rows = session.conclude(vec![lock, claim]).await?.pop().unwrap_or_default();
        let due_in = rows.first().map(|row| get::<Option<i64>>(row, "due_in")).transpose()?.flatten();
        let next_due = due_in.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
        Ok(Claimed { looks: looks(&rows)?, next_due })
    }
}

/// Groups the rows, which stand in the order of their looks.
fn looks(rows: &[Row]) -> Result<Vec<ClaimedLook>, Fault> {
    let mut looks: Vec<ClaimedLook> = Vec::new();
    let mut last = None;
    for row in rows {
        let Some(place) = get::<Option<i64>>(row, "place")? else { continue };
        if last != Some(place) {
            looks.push(ClaimedLook { subject: subject(row)?, items: Vec::new() });
            last = Some(place);
        }
        let look = looks.last_mut().expect("one was just pushed");
        look.items.push(item(row)?);
    }
    Ok(looks)
}

fn subject(row: &Row) -> Result<Subject, Fault> {
    match get::<Option<i64>>(row, "record")? {
        Some(record) => Ok(Subject::Record(InternalKey(record))),
        None => Ok(Subject::UnknownKey { source: parsed(row, "source")?, key: parsed(row, "foreign_key")? }),
    }
}

fn item(row: &Row) -> Result<ClaimedItem, Fault> {
    let order = get::<Option<JsonText>>(row, "command")?;
    Ok(ClaimedItem {
        id: WorkItemId(get(row, "id")?),
        attempts: u32::try_from(get::<i32>(row, "attempts")?).map_err(|error| unreadable("attempts", error))?,
        consents: get(row, "consents")?,
        order: order.as_ref().map(decode).transpose().map_err(|error| unreadable("command", error))?,
    })
}
