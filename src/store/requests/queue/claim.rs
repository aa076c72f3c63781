//! How work is taken out of the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::domain::record::Known;
use crate::points::{Mistake, bent};
use crate::store::columns::{JsonText, get, parsed, unreadable};
use crate::store::encoding::decode;
use crate::store::requests::look::{all_known, recall_claimed};
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::{Claim, Claimed, ClaimedItem, ClaimedLook, Subject, receipt};

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
        let mut read = None;
        let mut ahead = |rows: &[Vec<Row>]| {
            let [_, items, recalled] = rows else { unreachable!("every statement gives its rows") };
            let claimed = claimed(items, recalled);
            if let (Ok(claimed), Some(ahead)) = (&claimed, &self.ahead) {
                tell(ahead, claimed);
            }
            read = Some(claimed);
        };
        session.conclude_telling(vec![lock, claim, recall_claimed(&self.entity)], &mut ahead).await?;
        read.unwrap_or_else(|| unreachable!("what is concluded was told"))
    }
}

/// Tells whoever asked, who may be gone, what is being claimed, if anything is.
pub(super) fn tell(ahead: &mpsc::UnboundedSender<Claimed>, claimed: &Claimed) {
    if !claimed.looks.is_empty() {
        drop(ahead.send(claimed.clone()));
    }
}

/// Reads what a claim gave, and the recall of its records.
pub(super) fn claimed(rows: &[Row], recalled: &[Row]) -> Result<Claimed, Fault> {
    let due_in = rows.first().map(|row| get::<Option<i64>>(row, "due_in")).transpose()?.flatten();
    let next_due = due_in.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    Ok(Claimed { looks: looks(rows, all_known(recalled)?)?, next_due })
}

/// Groups the rows, which stand in the order of their looks.
fn looks(rows: &[Row], mut known: BTreeMap<InternalKey, Result<Known, Fault>>) -> Result<Vec<ClaimedLook>, Fault> {
    let mut looks: Vec<ClaimedLook> = Vec::new();
    let mut last = None;
    for row in rows {
        let Some(place) = get::<Option<i64>>(row, "place")? else { continue };
        if last != Some(place) {
            let subject = subject(row)?;
            let known = match &subject {
                // Where it cannot be read, the look says so: it recalls the record itself, and fails alone.
                Subject::Record(record) => known.remove(record).and_then(Result::ok),
                Subject::UnknownKey { .. } => None,
            };
            looks.push(ClaimedLook { subject, items: Vec::new(), known });
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
        receipt: receipt(row)?,
        attempts: u32::try_from(get::<i32>(row, "attempts")?).map_err(|error| unreadable("attempts", error))?,
        consents: get(row, "consents")?,
        order: order.as_ref().map(decode).transpose().map_err(|error| unreadable("command", error))?,
    })
}
