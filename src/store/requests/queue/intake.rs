//! How work is taken out of the queue as it comes in.

use tokio_postgres::Row;

use crate::points::{Mistake, STORED, bent};
use crate::store::requests::look::recall_claimed;
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::claim::{claimed, tell};
use super::enqueue::{NOTIFY, enqueued};
use super::{Claimed, Enqueued, TakeIn};

const LOCK: &str = include_str!("../../sql/entity/lock_at_once.sql");
const CLAIM: &str = include_str!("../../sql/work_item/claim_alone.sql");

impl Request for TakeIn {
    type Reply = Option<(Enqueued, Claimed)>;

    const ACTION: &'static str = "store and claim work";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Self::Reply, Fault> {
        if !session.may_be_short() {
            return Ok(None);
        }
        let (entity, source) = (self.notification.entity.as_str(), self.notification.source.as_str());
        let of_copy = [entity, source, self.notification.key.as_str()].map(|text| Box::new(vec![text.to_owned()]) as _);
        let steps = vec![
            Step::holding(LOCK, [Box::new(entity.to_owned())]),
            Step::new(bent(Mistake::CoalesceIntoRunning, NOTIFY, STORED[0], STORED[1]), of_copy),
            Step::new(bent(Mistake::IgnoreOwnCreate, CLAIM, "'in-flight'", "'nothing'"), [Box::new(entity.to_owned())]),
            recall_claimed(&self.notification.entity),
        ];
        let mut read = None;
        let mut ahead = |rows: &[Vec<Row>]| {
            let taken = taken(rows);
            if let (Ok((_, claimed)), Some(ahead)) = (&taken, &self.ahead) {
                tell(ahead, claimed);
            }
            read = Some(taken);
        };
        session.conclude_telling(steps, &mut ahead).await?;
        read.unwrap_or_else(|| unreachable!("what is concluded was told")).map(Some)
    }
}

/// Reads what the statements gave.
fn taken(rows: &[Vec<Row>]) -> Result<(Enqueued, Claimed), Fault> {
    let [_, stored, items, recalled] = rows else { unreachable!("every statement gives its rows") };
    let stored = stored.first().expect("the notification was stored or the statement failed");
    Ok((enqueued(stored)?, claimed(items, recalled)?))
}
