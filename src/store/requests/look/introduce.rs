//! How a newly seen item gets its record.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::domain::key::InternalKey;
use crate::domain::record::{DoubtId, Link, LinkState, OperationId, OperationState};
use crate::points::{Mistake, bent};
use crate::store::columns::{Word, get, unreadable, word};
use crate::store::requests::lease::Fence;
use crate::store::requests::queue::ids;
use crate::store::run::{Authority, Fault, Recording, Request, Session, Step, run_together};
use crate::store::{Store, StoreError};

use super::sheet::{Sheet, introduced};
use super::{Introduce, Introduced};

const CREATE_ENTITY: &str = include_str!("../../sql/entity/create.sql");
const LOCK_ENTITY: &str = include_str!("../../sql/entity/lock.sql");
const ADVANCE: &str = include_str!("../../sql/entity/advance.sql");
const FIND_KEY: &str = include_str!("../../sql/foreign_key/find.sql");
const FIND_MOVED: &str = include_str!("../../sql/operation/find_moved.sql");
const LOCK_MATCH: &str = include_str!("../../sql/record/lock_match.sql");
const FIND_MATCH: &str = include_str!("../../sql/link/find_match.sql");
const CREATE_RECORD: &str = include_str!("../../sql/record/create.sql");
const INTRODUCE_KEY: &str = include_str!("../../sql/foreign_key/introduce.sql");
const INTRODUCE_MATCH: &str = include_str!("../../sql/match_value/introduce.sql");
const ASSIGN: &str = include_str!("../../sql/work_item/assign.sql");

impl Request for Introduce {
    type Reply = Introduced;

    const ACTION: &'static str = "introduce a record";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Introduced, Fault> {
        if session.may_be_short()
            && let Some(sheet) = self.plain()
        {
            let rows = session.conclude(sheet.transaction(&self.entity)).await?;
            return Ok(self.reply(introduced(&rows)?.pop()));
        }
        let scene = self.scene(session).await?;
        if self.has_moved(&scene)? {
            return Ok(Introduced::LookAgain);
        }
        match scene.rival.as_ref().map(Rival::of_row).transpose()? {
            None => {
                let record = self.create(session, &scene, self.match_value.as_deref()).await?;
                Ok(Introduced::New(record))
            }
            Some(Rival { record, link: Some(LinkState::Linked), .. }) => {
                let rival = self.create(session, &scene, None).await?;
                Ok(Introduced::Rival { record: rival, of: record })
            }
            Some(Rival { unsettled: Some((by, state)), .. }) => Ok(Introduced::Unsettled { by, state }),
            Some(Rival { record, link: Some(LinkState::Unlinked | LinkState::Detached) | None, .. }) => {
                self.link(session, record, Vec::new()).await?;
                Ok(Introduced::Joined(record))
            }
        }
    }

    async fn run_under(self, fence: Fence, store: &Store) -> Result<Introduced, StoreError> {
        run_together(self, fence, 1, store).await
    }

    async fn run_among(self, looks: u32, fence: Fence, store: &Store) -> Result<Introduced, StoreError> {
        run_together(self, fence, looks, store).await
    }
}

impl Recording for Introduce {
    fn sheet(&self) -> Option<Sheet> {
        self.plain()
    }

    fn reply(&self, introduced: Option<InternalKey>) -> Introduced {
        introduced.map_or(Introduced::LookAgain, Introduced::New)
    }
}

/// Things as they stand while the entity is locked.
struct Scene {
    last_internal_key: i64,
    key: Option<Row>,
    moved: bool,
    rival: Option<Row>,
}

/// The record that bears the match value.
struct Rival {
    record: InternalKey,
    /// How it stands to this source; `None`: not at all.
    link: Option<LinkState>,
    /// A write to its copy there has an end that is not known yet: it may have made this very copy.
    unsettled: Option<(DoubtId, OperationState)>,
}

impl Rival {
    fn of_row(row: &Row) -> Result<Self, Fault> {
        let link = get::<Option<&str>>(row, "link")?.map(LinkState::of_word).transpose();
        Ok(Self {
            record: InternalKey(get(row, "id")?),
            link: link.map_err(|error| unreadable("link", error))?,
            unsettled: match get::<Option<i64>>(row, "unsettled")? {
                Some(number) => Some((DoubtId(number), word(row, "unsettled_state")?)),
                None => None,
            },
        })
    }
}

impl Introduce {
    /// Gives what is recorded if there turns out to be nothing to be considered; `None` if there is: another record may bear the match
    /// value, a write of unknown end may have made this copy, or the key may have been another's.
    fn plain(&self) -> Option<Sheet> {
        if self.match_value.is_some() || !self.recalled_at.doubts.is_empty() || self.recalled_at.retired_at.is_some() {
            return None;
        }
        let mut sheet = Sheet::default();
        sheet.introduce(&self.source, &self.key, ids(&self.items));
        Some(sheet)
    }

    async fn scene(&self, session: &Session<'_>) -> Result<Scene, Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let source = || Box::new(self.source.as_str().to_owned());
        let doubts: Vec<Uuid> = self.recalled_at.doubts.iter().map(|OperationId(id)| *id).collect();
        let find_moved = bent(Mistake::IgnoreOwnCreate, FIND_MOVED, "'in-flight'", "'nothing'");
        let steps = [
            Step::new(CREATE_ENTITY, [entity()]),
            Step::new(LOCK_ENTITY, [entity()]),
            Step::new(FIND_KEY, [entity(), source(), Box::new(self.key.as_str().to_owned())]),
            Step::new(find_moved, [entity(), source(), Box::new(doubts), Box::new(ids(&self.items))]),
            Step::new(LOCK_MATCH, [entity(), Box::new(self.match_value.clone())]),
            Step::new(FIND_MATCH, [entity(), Box::new(self.match_value.clone()), source()]),
        ];
        let [_, locked, mut key, moved, _, mut rival] = session.pipeline_of(steps).await?;
        let (Some(locked), Some(moved)) = (locked.first(), moved.first()) else { return Err(Fault::Moved) };
        Ok(Scene {
            last_internal_key: get(locked, "last_internal_key")?,
            key: key.pop(),
            moved: get(moved, "moved")?,
            rival: rival.pop(),
        })
    }

    /// Tells whether the key, or what may have made its copy, is not as it was recalled.
    fn has_moved(&self, scene: &Scene) -> Result<bool, Fault> {
        let retired_at = match &scene.key {
            None => None,
            Some(row) if get::<&str>(row, "state")? == "retired" => {
                Some(get::<Timestamp>(row, "changed_at")?.as_microsecond())
            }
            Some(_) => return Ok(true),
        };
        Ok(scene.moved || retired_at != self.recalled_at.retired_at)
    }

    /// Makes a record with the next internal key.
    async fn create(
        &self,
        session: &Session<'_>,
        scene: &Scene,
        match_value: Option<&str>,
    ) -> Result<InternalKey, Fault> {
        let record = InternalKey(scene.last_internal_key + 1);
        let entity = || Box::new(self.entity.as_str().to_owned());
        let mut steps = vec![
            Step::new(ADVANCE, [entity(), Box::new(record.0)]),
            Step::new(CREATE_RECORD, [entity(), Box::new(record.0)]),
        ];
        if let Some(value) = match_value {
            let value = Box::new(value.to_owned());
            steps.push(Step::new(INTRODUCE_MATCH, [entity(), value, Box::new(record.0)]).contested());
        }
        self.link(session, record, steps).await?;
        Ok(record)
    }

    /// Links the key to a record, after what `steps` do.
    async fn link(&self, session: &Session<'_>, record: InternalKey, mut steps: Vec<Step>) -> Result<(), Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let key = Box::new(self.key.as_str().to_owned());
        let source = Box::new(self.source.as_str().to_owned());
        let link = Link { state: LinkState::Linked, key: Some(self.key.clone()), ..Link::unlinked() };
        let mut sheet = Sheet::default();
        sheet.link(record, &self.source, &link);
        steps.push(Step::new(INTRODUCE_KEY, [entity(), source, key, Box::new(record.0)]).contested());
        steps.extend(sheet.writes(&self.entity));
        steps.push(Step::new(ASSIGN, [Box::new(ids(&self.items)), Box::new(record.0)]));
        session.pipeline(steps).await?;
        Ok(())
    }
}
