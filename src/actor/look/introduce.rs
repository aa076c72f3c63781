//! A look at a key that no record is known by: whose copy is it?

use std::collections::BTreeMap;
use std::time::Duration;

use slog::info;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::plan::Owed;
use crate::domain::record::{Link, LinkState, OpenOperation, OperationEnd, OperationId, Reading};
use crate::log::key;
use crate::points::{self, Mistake, Point, planted};
use crate::store::StoreError;

use super::super::errand::Taken;
use super::super::store::requests::look::{Introduce, Introduced, Recall, RecallUnknown, RecordResults, UnknownKey};
use super::super::store::requests::queue::{Finish, WorkEnd};
use super::{Look, Readings, at_once};

/// For how long a copy that shows again after our delete, unchanged, is taken for a stale answer.
const SETTLING: Duration = Duration::from_secs(60);

/// Whose copy a new key is.
enum Home {
    /// This record's; with the reading by which it was found.
    Record(InternalKey, Taken),
    /// The one that this write, whose end was not known, has made or renamed.
    Doubt(InternalKey, OpenOperation),
    /// It cannot be told now.
    Unknown(Owed),
    /// Nobody's, or it is too early to tell, or its record is to be looked at later: the end of the work items.
    None(WorkEnd),
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
            Home::Doubt(record, operation) => self.adopt(record, &operation, source, key).await,
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
            && let Some((record, open)) =
                unknown.doubts.iter().find(|(_, open)| open.document.as_ref() == Some(document))
        {
            return Ok(Home::Doubt(*record, open.clone()));
        }
        if let Some(end) = self.must_wait(&unknown, document) {
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
            // Other copies of this item may wait in the queue: they are introduced before copies of it are made.
            Introduced::New(record) if matches => (record, Home::None(at_once())),
            Introduced::New(record) | Introduced::Joined(record) | Introduced::Rival { record, .. } => {
                (record, Home::Record(record, taken))
            }
        };
        info!(self.log, "record introduced"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::INTERNAL_KEY => record.0);
        Ok(home)
    }

    async fn owe(&self, source: SourceName, owed: Owed) -> Result<Vec<SourceName>, StoreError> {
        self.finish(self.end(&BTreeMap::from([(source, owed)]), "failed")).await
    }

    /// Says whether it is too early to tell whose copy this is.
    fn must_wait(&self, unknown: &UnknownKey, document: &Json) -> Option<WorkEnd> {
        let rules = &self.desk.terms.rules;
        let match_value = matching::match_value(document, rules);
        let may_be = |open: &OpenOperation| {
            match_value.is_none()
                || match_value == open.document.as_ref().and_then(|sent| matching::match_value(sent, rules))
        };
        if unknown.doubts.iter().any(|(_, open)| may_be(open)) && !planted(Mistake::IgnoreOwnCreate) {
            let why = "it may be what a write in doubt has made";
            let due_in = self.desk.retry.delay(self.attempts(), rand::random());
            return Some(wait(due_in, why, true));
        }
        match &unknown.retired {
            Some((Some(held), age)) if held == document && *age < SETTLING => {
                Some(wait(SETTLING - *age, "it was deleted a moment ago and shows unchanged", false))
            }
            Some(_) | None => None,
        }
    }

    /// Settles a doubt: the key that its write had not told is known now.
    async fn adopt(
        &self,
        record: InternalKey,
        operation: &OpenOperation,
        source: SourceName,
        key: ForeignKey,
    ) -> Result<Vec<SourceName>, StoreError> {
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
        let link = Link { base: operation.carries.clone(), ..link };
        info!(self.log, "doubt settled"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::INTERNAL_KEY => record.0,
            key::OPERATION => %operation.id.0);
        let finish = Finish { items: self.item_ids(), end: at_once() };
        self.link_found(record, source, link, operation.id, key, finish).await?;
        Ok(Vec::new())
    }

    /// Records that a write whose end was not known has made the copy under `key`.
    pub(super) async fn link_found(
        &self,
        record: InternalKey,
        source: SourceName,
        link: Link,
        operation: OperationId,
        key: ForeignKey,
        finish: Finish,
    ) -> Result<(), StoreError> {
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
                tidies: Vec::new(),
                finish,
            })
            .await?;
        points::pass(Point::Adopted);
        Ok(())
    }
}

fn wait(due_in: Duration, why: &str, spent: bool) -> WorkEnd {
    WorkEnd::Again { due_in, error: Some(why.to_owned()), blocked_by: Vec::new(), spent, waiting: true }
}
