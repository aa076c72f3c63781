//! A look at a key that no record is known by: whose copy is it?

use std::collections::BTreeMap;
use std::time::Duration;

use slog::info;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::plan::Owed;
use crate::domain::record::{DoubtId, Link, LinkState, OperationEnd, OperationId, OperationState, Reading};
use crate::log::key;
use crate::points::{self, Mistake, Point, planted};
use crate::store::StoreError;

use super::super::errand::Taken;
use super::super::store::requests::look::{
    Introduce, Introduced, Recall, RecallUnknown, RecordResults, UnknownKey, Unsettled,
};
use super::super::store::requests::queue::{Finish, Hold, WorkEnd, WorkItemId};
use super::search::Likeness;
use super::{Look, Readings, at_once};

/// For how long a copy that shows again after our delete, unchanged, is taken for a stale answer.
const SETTLING: Duration = Duration::from_secs(60);

/// Whose copy a new key is.
enum Home {
    /// This record's; with the reading by which it was found.
    Record(InternalKey, Taken),
    /// The one that this write, whose end was not known, has made or renamed.
    Doubt(Unsettled),
    /// It may be the one that this write has made or will make: it waits for it.
    Held(Hold),
    /// It cannot be told now.
    Unknown(Owed),
    /// Nobody's, or it is too early to tell, or its record is to be looked at later: the end of the work items.
    None(WorkEnd),
}

/// What a write whose end was not known has made.
pub(super) struct Found {
    pub(super) source: SourceName,
    pub(super) key: ForeignKey,
    pub(super) operation: OperationId,
    /// With its base; it is linked to the key.
    pub(super) link: Link,
}

impl Look {
    /// Reads the copy and gives it its record; then looks at that record.
    pub(super) async fn introduce(&self, source: SourceName, key: ForeignKey) -> Result<Vec<SourceName>, StoreError> {
        let home = {
            let _introducing = self.desk.workshop.introducing().await;
            self.find_home(&source, &key).await?
        };
        match home {
            Home::Record(record, taken) => self.at(record, Readings::from([(source, taken)])).await,
            Home::Doubt(doubt) => self.adopt(doubt, source, key).await,
            Home::Held(hold) => self.desk.insist(hold).await.map(|()| Vec::new()),
            Home::Unknown(owed) => self.owe(source, owed).await,
            Home::None(end) => self.finish(end).await,
        }
    }

    /// Finds out whose copy this is; a new item gets a record.
    async fn find_home(&self, source: &SourceName, key: &ForeignKey) -> Result<Home, StoreError> {
        let entity = self.desk.entity.name.clone();
        let recall = RecallUnknown { entity, source: source.clone(), key: key.clone(), items: self.item_ids() };
        let unknown = self.desk.insist(recall).await?;
        let taken = self.read_one(source, key).await;
        let document = match &taken.reading {
            Reading::Present(document) => document,
            Reading::Missing => return Ok(Home::None(WorkEnd::Done { outcome: "nothing-there" })),
            Reading::Unreachable(why) => return Ok(Home::Unknown(Owed::Unreachable(why.clone()))),
            Reading::Broken(why) => return Ok(Home::Unknown(Owed::Failed(why.clone()))),
        };
        if !planted(Mistake::IgnoreOwnCreate)
            && let Some(home) = self.home_in_doubt(&unknown, source, document)
        {
            return Ok(home);
        }
        if let Some(end) = shows_again(&unknown, document) {
            return Ok(Home::None(end));
        }
        let match_value = matching::match_value(document, &self.desk.terms.rules);
        let matches = match_value.is_some();
        let introduced = self.desk.insist(Introduce {
            entity: self.desk.entity.name.clone(),
            source: source.clone(),
            key: key.clone(),
            match_value,
            items: self.item_ids(),
            recalled_at: unknown.now,
        });
        let introduced = introduced.await?;
        points::pass(Point::Introduced);
        let (record, home) = match introduced {
            Introduced::LookAgain => return Ok(Home::None(at_once())),
            Introduced::Unsettled { by, state } => return Ok(Home::Held(self.hold(by, state))),
            // Other copies of this item may wait in the queue: they are introduced before copies of it are made.
            Introduced::New(record) if matches => (record, Home::None(at_once())),
            Introduced::New(record) | Introduced::Joined(record) | Introduced::Rival { record, .. } => {
                (record, Home::Record(record, taken))
            }
        };
        info!(self.log, "record introduced"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::INTERNAL_KEY => record.0);
        Ok(home)
    }

    /// Ends the work items of a look that a source cannot serve now.
    pub(super) async fn owe(&self, source: SourceName, owed: Owed) -> Result<Vec<SourceName>, StoreError> {
        self.finish(self.end(&BTreeMap::from([(source, owed)]), "failed")).await
    }

    /// Finds the write of unknown end that has made this copy, or may have.
    ///
    /// What was sent settles it. The same item by `match` with another document does not: somebody may have changed what the write
    /// made, or made an item of their own beside it, which nobody but a person can tell apart.
    fn home_in_doubt(&self, unknown: &UnknownKey, source: &SourceName, document: &Json) -> Option<Home> {
        let like = |doubt: &&Unsettled, wanted: &[Likeness]| {
            doubt.open.document.as_ref().is_some_and(|sent| wanted.contains(&self.likeness(source, sent, document)))
        };
        let mut doubts = unknown.doubts.iter();
        if let Some(same) = doubts.clone().find(|doubt| like(doubt, &[Likeness::Same])) {
            return Some(Home::Doubt(same.clone()));
        }
        let possible = doubts.find(|doubt| like(doubt, &[Likeness::Matching, Likeness::Possible]))?;
        Some(Home::Held(self.hold(possible.id, possible.open.state)))
    }

    /// Has the work items wait for a write.
    fn hold(&self, by: DoubtId, state: OperationState) -> Hold {
        let number = by.0;
        let (error, spent) = match state {
            OperationState::InDoubt => {
                let error = format!(
                    "it may be what the write {number} has made, which is in doubt: retcon settle {number} --key KEY | --absent"
                );
                (error, false)
            }
            OperationState::InFlight | OperationState::Open => {
                (format!("it may be what the write {number} makes, which is still tried"), true)
            }
        };
        let due_in = self.desk.retry.delay(self.attempts(), rand::random());
        Hold { entity: self.desk.entity.name.clone(), items: self.receipts(), by, due_in, error, spent }
    }

    /// Settles a doubt: the key that its write had not told is known now.
    async fn adopt(
        &self,
        doubt: Unsettled,
        source: SourceName,
        key: ForeignKey,
    ) -> Result<Vec<SourceName>, StoreError> {
        let Unsettled { record, open: operation, .. } = doubt;
        let _alone = self.desk.workshop.alone_with(record).await;
        let entity = self.desk.entity.name.clone();
        let Some(known) = self.desk.insist(Recall { entity: entity.clone(), record }).await? else {
            return self.finish(at_once()).await;
        };
        let link =
            known.links.get(&source).filter(|link| link.open.as_ref().is_some_and(|open| open.id == operation.id));
        let Some(link) = link.cloned() else {
            return self.finish(at_once()).await;
        };
        let link = Link { base: operation.carries.clone(), missing_since: None, ..link };
        info!(self.log, "doubt settled"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::INTERNAL_KEY => record.0,
            key::OPERATION => %operation.id.0);
        let finish = Finish { items: self.receipts(), end: at_once() };
        self.link_found(record, Found { source, key, operation: operation.id, link }, Vec::new(), finish).await?;
        Ok(Vec::new())
    }

    /// Records that a write whose end was not known has made a copy, and that the order of `decided_items` is decided with it.
    pub(super) async fn link_found(
        &self,
        record: InternalKey,
        found: Found,
        decided_items: Vec<WorkItemId>,
        finish: Finish,
    ) -> Result<(), StoreError> {
        let Found { source, key, operation, link } = found;
        let link = Link { state: LinkState::Linked, key: Some(key.clone()), last_error: None, ..link };
        self.desk
            .insist(RecordResults {
                entity: self.desk.entity.name.clone(),
                record,
                links: vec![(source.clone(), link)],
                keys: vec![(source, key.clone())],
                retired: Vec::new(),
                ended: vec![(operation, OperationEnd::Done { key: Some(key) })],
                operations: Vec::new(),
                outputs: Vec::new(),
                decided_items,
                tidies: Vec::new(),
                finish,
            })
            .await?;
        points::pass(Point::Adopted);
        Ok(())
    }
}

/// Says whether this is a copy that we have deleted, and that a source which answers late still shows.
fn shows_again(unknown: &UnknownKey, document: &Json) -> Option<WorkEnd> {
    match &unknown.retired {
        Some((Some(held), age)) if held == document && *age < SETTLING => Some(WorkEnd::Again {
            due_in: SETTLING - *age,
            error: Some("it was deleted a moment ago and shows unchanged".to_owned()),
            blocked_by: Vec::new(),
            spent: false,
            waiting: true,
        }),
        Some(_) | None => None,
    }
}
