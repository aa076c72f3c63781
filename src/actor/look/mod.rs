//! One look at a record: recall, read the sources, plan, record, write the sources, record.

mod decide;
mod introduce;
mod limits;
mod order;
mod preview;
mod reclaim;
mod search;
mod settle;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};

use futures_util::future::{Shared, join_all};
use slog::{Logger, error, info, o, warn};
use tokio::sync::oneshot;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::plan::{self, Fate, Held, Owed, Plan, Situation, Verdict, Will, judge};
use crate::domain::pointer::Pointer;
use crate::domain::record::{Known, LinkState, Reading, RecordState};
use crate::domain::restless;
use crate::log::{chain, key};
use crate::metrics::Minute;
use crate::points::{self, Mistake, Point, planted};
use crate::store::StoreError;

use super::desk::SharedDesk;
use super::errand::{Read, Taken};
use super::source::visit;
use super::store::requests::look::{FindRival, Recall, RecallRecent};
use super::store::requests::queue::{
    ClaimedItem, ClaimedLook, Finish, FinishItems, Receipt, Subject, WorkEnd, WorkItemId,
};
use super::workshop::Alone;
use settle::Settling;

pub(super) use preview::preview;

/// The readings of one look.
type Readings = BTreeMap<SourceName, Taken>;

/// One look, and the work items that it serves.
pub(super) struct Look {
    desk: SharedDesk,
    items: Vec<ClaimedItem>,
    log: Logger,
    began: Instant,
}

/// How a look ended for its work items.
pub(super) enum LookEnd {
    /// On record; they wait for these sources.
    Settled { blocked_by: Vec<SourceName> },
    /// Their end could not be recorded: they are nobody's now.
    Stuck,
    /// They were not claimed, as far as is known; sources were read at most.
    Void,
}

/// What a look begins with.
pub(super) struct Beginning {
    pub(super) claimed: ClaimedLook,
    /// What is known of the record still counts; `None` if it may be old.
    pub(super) alone: Option<Alone>,
    pub(super) kept: Kept,
}

/// Resolves when the claim is durable, or to an error when it is void.
pub(super) type Kept = Shared<oneshot::Receiver<()>>;

/// A record with which a look is alone, what is known of it, and what was just read.
struct Head {
    _alone: Alone,
    known: Option<Known>,
    taken: Readings,
}

/// What came of carrying a plan out.
enum CarriedOut {
    Done {
        blocked_by: Vec<SourceName>,
    },
    /// The record moved meanwhile: nothing was recorded, and everything is looked at again.
    Moved,
    /// A limit holds the part of these sources back: nothing was recorded, and it is planned again without.
    Over(Vec<SourceName>),
}

/// Makes a look and ends its work items. Before the claim is durable, sources are read and nothing else is done.
pub(super) async fn look(desk: SharedDesk, beginning: Beginning) -> LookEnd {
    let Beginning { claimed: ClaimedLook { subject, items, known }, alone, kept } = beginning;
    let item = items.first().map_or(0, |item| item.receipt.item.0);
    let log = desk.log.new(o!(key::WORK_ITEM => item));
    let look = Look { desk, items, log, began: Instant::now() };
    let head = match (known, alone) {
        (Some(known), Some(alone)) => Some(look.read_at_once(known, alone).await),
        (None, _) | (_, None) => None,
    };
    if kept.await.is_err() {
        return LookEnd::Void;
    }
    let ended = match (subject, head) {
        (Subject::Record(record), Some(head)) => look.at_head(record, head).await,
        (Subject::Record(record), None) => look.at(record, Readings::new()).await,
        (Subject::UnknownKey { source, key }, _) => look.introduce(source, key).await,
    };
    match ended {
        Ok(blocked_by) => LookEnd::Settled { blocked_by },
        Err(deposed @ StoreError::Deposed { .. }) => {
            info!(look.log, "look left to another daemon"; key::ERROR => chain(&deposed));
            LookEnd::Stuck
        }
        Err(error) => look.fail(&chain(&error)).await,
    }
}

impl Look {
    /// Reads the copies, unless something else comes before that.
    async fn read_at_once(&self, known: Known, alone: Alone) -> Head {
        let mut taken = Readings::new();
        // An order may have to be judged first, and of a new item there may be copies that are being introduced.
        if self.order().is_none() && known.record.version > 0 {
            self.read_sources(&known, &mut taken).await;
        }
        Head { _alone: alone, known: Some(known), taken }
    }

    /// Looks at a record; `taken` are readings that were just made.
    async fn at(&self, record: InternalKey, taken: Readings) -> Result<Vec<SourceName>, StoreError> {
        let alone = self.desk.workshop.alone_with(record).await;
        self.at_head(record, Head { _alone: alone, known: None, taken }).await
    }

    async fn at_head(&self, record: InternalKey, head: Head) -> Result<Vec<SourceName>, StoreError> {
        let Head { _alone, known: mut recalled, mut taken } = head;
        let mut may_be_joined = !self.desk.terms.rules.matching.is_empty();
        let mut to_be_settled = true;
        let mut held = Held::new();
        let mut is_limited = false;
        loop {
            let Some(mut known) = self.recall(record, recalled.take()).await? else {
                return self.finish(WorkEnd::Done { outcome: "nothing-there" }).await;
            };
            if planted(Mistake::Resurrect) {
                known.record.state = RecordState::Live;
            }
            if std::mem::take(&mut may_be_joined) && known.record.version == 0 {
                // Keys that are being looked at may be other copies of this new item.
                self.desk.workshop.all_introduced().await;
                continue;
            }
            if std::mem::take(&mut to_be_settled) {
                match self.settle(&known).await? {
                    Settling::Nothing => {}
                    Settling::Settled => continue,
                    Settling::Refused(why) => return self.refuse(why).await,
                    Settling::Later(source, owed) => return self.put_off(source, owed).await,
                }
            }
            let will = match self.will(&known).await? {
                Ok(will) => will,
                Err(refused) => return self.refuse(refused).await,
            };
            let Some(mut plan) = self.reach(&mut known, &mut taken, &will, &mut held).await? else { continue };
            // What a limit leaves out was shown to nobody, and is made up later.
            if !is_limited && let Some(moved) = self.moved(&known, &taken, &plan) {
                plan = self.plan(&known, &taken, &Will::Nothing, &held).await?;
                plan.fate = Fate::Moved(moved);
            }
            match self.carry_out(&known, &taken, plan).await? {
                CarriedOut::Done { blocked_by } => return Ok(blocked_by),
                CarriedOut::Over(sources) => {
                    is_limited = true;
                    self.leave_out(&known, &taken, &sources, &mut held);
                }
                CarriedOut::Moved => {
                    taken.clear();
                    held.clear();
                    is_limited = false;
                }
            }
        }
    }

    /// Comes to a plan; to none if what an earlier write has made was found on the way, and is on record now.
    async fn reach(
        &self,
        known: &mut Known,
        taken: &mut Readings,
        will: &Will,
        held: &mut Held,
    ) -> Result<Option<Plan>, StoreError> {
        self.reclaim(known, taken, will).await?;
        self.read_sources(known, taken).await;
        points::pass(Point::Read);
        if self.search(known, taken).await? {
            return Ok(None);
        }
        self.recall_held(known, taken, held).await?;
        self.plan(known, taken, will, held).await.map(Some)
    }

    /// Recalls what is known, unless that was just done.
    async fn recall(&self, record: InternalKey, recalled: Option<Known>) -> Result<Option<Known>, StoreError> {
        match recalled {
            Some(known) => Ok(Some(known)),
            None => self.desk.insist(Recall { entity: self.desk.entity.name.clone(), record }).await,
        }
    }

    /// Reads every copy that was not just read, all at the same time.
    async fn read_sources(&self, known: &Known, taken: &mut Readings) {
        let wanted = known.links.iter().filter_map(|(name, link)| {
            let source = self.desk.sources.get(name)?;
            let key = link.key.clone().filter(|_| link.state == LinkState::Linked)?;
            (!taken.contains_key(name))
                .then(|| (name.clone(), visit(source, Read { key, record: Some(known.record.id) })))
        });
        let readings = wanted.map(|(name, read)| async move { (name, read.await) });
        taken.extend(join_all(readings).await);
    }

    async fn read_one(&self, source: &SourceName, key: &ForeignKey) -> Taken {
        match self.desk.sources.get(source) {
            None => Taken::none(Reading::Unreachable("the source is not configured now".to_owned())),
            Some(actor) => visit(actor, Read { key: key.clone(), record: None }).await,
        }
    }

    async fn plan(&self, known: &Known, taken: &Readings, will: &Will, held: &Held) -> Result<Plan, StoreError> {
        let readings = readings(taken);
        let rival = self.is_rival(known, &readings).await?;
        let mut stopped = BTreeSet::new();
        let plan = loop {
            let terms = &self.desk.terms;
            let plan =
                plan::plan(&Situation { known, readings: &readings, terms, will, held, rival, stopped: &stopped });
            let fights = self.fights(&plan).await?;
            if fights.is_subset(&stopped) {
                break plan;
            }
            stopped.extend(fights);
        };
        for warning in &plan.warnings {
            warn!(self.log, "merged with a warning"; key::INTERNAL_KEY => known.record.id.0, key::ERROR => warning);
        }
        Ok(plan)
    }

    /// Finds the places at which this plan would be another move in a fight between sources.
    async fn fights(&self, plan: &Plan) -> Result<BTreeSet<Pointer>, StoreError> {
        let places: Vec<Pointer> = restless::suspects(plan).into_iter().cloned().collect();
        if places.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (entity, record) = (self.desk.entity.name.clone(), plan.record.id);
        let recent = self.desk.insist(RecallRecent { entity, record, places }).await?;
        Ok(restless::fights(plan, &recent, &self.desk.terms.rules))
    }

    /// Says whether this is a new item whose match value another record has, with a live copy in the same source.
    async fn is_rival(&self, known: &Known, readings: &BTreeMap<SourceName, Reading>) -> Result<bool, StoreError> {
        if known.record.version > 0 || known.record.state == RecordState::Deleted {
            return Ok(false);
        }
        for (source, link) in &known.links {
            let document = match readings.get(source) {
                Some(Reading::Present(document)) => Some(document),
                Some(Reading::Missing) => None,
                // While it cannot be read it contends with what it held last, as the item that it was.
                Some(Reading::Unreachable(_) | Reading::Broken(_)) | None => link.last.as_ref(),
            };
            let match_value = document.and_then(|document| matching::match_value(document, &self.desk.terms.rules));
            let Some(match_value) = match_value else { continue };
            let (entity, record) = (self.desk.entity.name.clone(), known.record.id);
            if self.desk.insist(FindRival { entity, record, source: source.clone(), match_value }).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The looks that failed before this one.
    fn attempts(&self) -> u32 {
        self.items.iter().map(|item| item.attempts).max().unwrap_or(0)
    }

    fn item_ids(&self) -> Vec<WorkItemId> {
        self.items.iter().map(|item| item.receipt.item).collect()
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.items.iter().map(|item| item.receipt).collect()
    }

    /// The items that carry an order.
    fn ordered_items(&self) -> Vec<WorkItemId> {
        self.items.iter().filter(|item| item.order.is_some()).map(|item| item.receipt.item).collect()
    }

    /// Turns what is owed into the end of the work items.
    fn end(&self, owed: &BTreeMap<SourceName, Owed>, outcome: &'static str) -> WorkEnd {
        match judge(owed, self.attempts(), &self.desk.retry, rand::random()) {
            Verdict::Done => WorkEnd::Done { outcome },
            Verdict::AtOnce => at_once(),
            Verdict::Later { due_in, error, blocked_by, spent } => {
                WorkEnd::Again { due_in, error, blocked_by, spent, waiting: true }
            }
            Verdict::Parked { error } => {
                error!(self.log, "work parked"; key::ERROR => &error);
                WorkEnd::Parked { error }
            }
            Verdict::Held { error } => {
                error!(self.log, "work parked"; key::ERROR => &error);
                WorkEnd::Held { error }
            }
        }
    }

    /// What a recording in the middle of a look finishes.
    fn nothing_finished(&self) -> Finish {
        Finish { items: Vec::new(), end: WorkEnd::Done { outcome: "in-step" } }
    }

    /// Ends the work items without anything to record of a record.
    async fn finish(&self, end: WorkEnd) -> Result<Vec<SourceName>, StoreError> {
        let (blocked_by, word) = (blocked_by(&end), word(&end));
        let finish = Finish { items: self.receipts(), end };
        self.desk.insist(FinishItems { entity: self.desk.entity.name.clone(), finish }).await?;
        points::pass(Point::Finished);
        self.count(word);
        Ok(blocked_by)
    }

    /// Ends the work items of a look that could not be made, for a reason that waiting does not cure.
    async fn fail(&self, why: &str) -> LookEnd {
        error!(self.log, "look failed"; key::ERROR => why);
        let end = if self.attempts() + 1 >= self.desk.retry.attempts {
            WorkEnd::Parked { error: why.to_owned() }
        } else {
            let due_in = self.desk.retry.delay(self.attempts(), rand::random());
            WorkEnd::Again { due_in, error: Some(why.to_owned()), blocked_by: Vec::new(), spent: true, waiting: true }
        };
        self.tell_failure(why);
        match self.finish(end).await {
            Ok(blocked_by) => LookEnd::Settled { blocked_by },
            Err(error) => {
                crate::alert!(self.log, "work item stuck"; key::ERROR => chain(&error));
                LookEnd::Stuck
            }
        }
    }

    /// Counts this look, which came to `outcome`.
    fn count(&self, outcome: &'static str) {
        let minute = Minute::of(SystemTime::now());
        self.desk.tally.looked(&self.desk.entity.name, minute, outcome, self.began.elapsed());
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Ends the items of a look that panicked, so that its document cannot bring its entity down again and again.
pub(super) async fn panicked(desk: SharedDesk, items: Vec<ClaimedItem>, why: String) -> LookEnd {
    let log = desk.log.clone();
    Look { desk, items, log, began: Instant::now() }.fail(&why).await
}

/// What was read, as far as a plan depends on it.
fn readings(taken: &Readings) -> BTreeMap<SourceName, Reading> {
    taken.iter().map(|(name, taken)| (name.clone(), taken.reading.clone())).collect()
}

fn at_once() -> WorkEnd {
    WorkEnd::Again {
        due_in: std::time::Duration::ZERO,
        error: None,
        blocked_by: Vec::new(),
        spent: false,
        waiting: false,
    }
}

fn blocked_by(end: &WorkEnd) -> Vec<SourceName> {
    match end {
        WorkEnd::Again { blocked_by, .. } => blocked_by.clone(),
        WorkEnd::Done { .. } | WorkEnd::Parked { .. } | WorkEnd::Held { .. } => Vec::new(),
    }
}

/// What a look came to for its work items, in a word.
fn word(end: &WorkEnd) -> &'static str {
    match end {
        WorkEnd::Done { outcome } => outcome,
        WorkEnd::Again { waiting: true, .. } => "waiting",
        WorkEnd::Again { waiting: false, .. } => "again",
        WorkEnd::Parked { .. } | WorkEnd::Held { .. } => "parked",
    }
}
