//! Who serves which entity: daemons that share a database, their leases, and the numbers that fence off who lost one.
//!
//! A daemon is on the list for as long as it prolongs its time there, on the database's clock. One that is struck out, by
//! whoever finds its time over or by itself, holds nothing any more, whatever it believes: what it records is refused
//! ([`crate::store::StoreError::Deposed`]).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::name::EntityName;
use crate::domain::record::OperationId;
use crate::points::{Mistake, planted};
use crate::store::columns::{get, micros, parsed};
use crate::store::run::{Authority, Fault, Mode, Request, Session, Step};

const ENLIST: &str = include_str!("../sql/daemon/enlist.sql");
const CLIP: &str = include_str!("../sql/daemon/clip.sql");
const STRIKE_OUT: &str = include_str!("../sql/daemon/strike_out.sql");
const STRIKE_OUT_DEAD: &str = include_str!("../sql/daemon/strike_out_dead.sql");
const RENEW: &str = include_str!("../sql/daemon/renew.sql");
const LOCK_FREE: &str = include_str!("../sql/lease/lock_free.sql");
const TAKE: &str = include_str!("../sql/lease/take.sql");
const RELEASE_ALL: &str = include_str!("../sql/lease/release_all.sql");
const RELEASE: &str = include_str!("../sql/lease/release.sql");
const LIST: &str = include_str!("../sql/lease/list.sql");
const START: &str = include_str!("../sql/operation/start.sql");

/// A daemon's name among those that share a database: another one each time that it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaemonId(pub Uuid);

impl DaemonId {
    /// Returns one that was never used.
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Default for DaemonId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DaemonId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The right to record what comes of an entity's work: void as soon as another daemon serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fence {
    pub entity: EntityName,
    pub number: i64,
    pub holder: DaemonId,
}

/// Enters a daemon in the list, in place of one that is known to be dead. Whatever it was told before, it serves nothing then.
#[derive(Debug, Clone)]
pub struct Enlist {
    pub daemon: DaemonId,
    /// For people.
    pub name: String,
    /// For how long it may be silent.
    pub term: Duration,
    pub former: Option<DaemonId>,
}

/// A time that the database's clock told, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseTime(pub i64);

/// Prolongs a daemon's time, and gives it those of the entities that it wants that nobody serves; it is told of those that it has, too.
///
/// Strikes out daemons whose time has been over for `grace`: by then nothing of theirs runs. It must have been over so by `as_of`,
/// too: whoever asks has seen that moment, and that the clock had not jumped before it.
#[derive(Debug, Clone)]
pub struct Serve {
    pub daemon: DaemonId,
    pub term: Duration,
    pub grace: Duration,
    /// `None`: nobody is struck out.
    pub as_of: Option<DatabaseTime>,
    pub wanted: Vec<EntityName>,
}

/// What a daemon that prolongs its time is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It was struck out: it serves nothing.
    StruckOut,
    Listed {
        /// What it serves from now on, with the fencing numbers.
        taken: BTreeMap<EntityName, i64>,
        /// The names of those that were found dead.
        dead: Vec<String>,
        /// Whether other daemons are on the list.
        others: bool,
        /// What the clock told when this daemon's time was prolonged.
        now: DatabaseTime,
    },
}

/// Gives up entities of which a daemon has nothing under way.
#[derive(Debug, Clone)]
pub struct GiveUp {
    pub daemon: DaemonId,
    pub entities: Vec<EntityName>,
}

/// Takes a daemon off the list: it has nothing under way, and all that it serves is free.
#[derive(Debug, Clone)]
pub struct Resign {
    pub daemon: DaemonId,
}

/// Names the daemon that serves each entity.
#[derive(Debug, Clone)]
pub struct ListServers;

/// Records that the program of a write is about to be started. Gives `false` if it must not be.
#[derive(Debug, Clone)]
pub struct StartWrite {
    pub operation: OperationId,
}

impl Request for Enlist {
    type Reply = ();

    const ACTION: &'static str = "enlist this daemon";

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let mut steps: Vec<Step> =
            self.former.iter().map(|former| Step::new(STRIKE_OUT, [Box::new(former.0)])).collect();
        let name = self.name.clone();
        // An earlier attempt may have come through; and if its place on the list had lapsed, what it began then is not of today.
        steps.push(Step::new(STRIKE_OUT, [Box::new(self.daemon.0)]));
        steps.push(Step::new(RELEASE_ALL, [Box::new(self.daemon.0)]));
        steps.push(Step::new(ENLIST, [Box::new(self.daemon.0), Box::new(name), Box::new(micros(self.term))]));
        session.pipeline(steps).await?;
        Ok(())
    }
}

impl Request for Serve {
    type Reply = Served;

    const ACTION: &'static str = "prolong this daemon's time";

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Served, Fault> {
        // Its own time first: of two whose time is over, neither waits for the other.
        let steps = [
            Step::new(RENEW, [Box::new(self.daemon.0), Box::new(micros(self.term))]),
            Step::new(CLIP, [Box::new(self.daemon.0), Box::new(micros(self.term))]),
            Step::new(
                STRIKE_OUT_DEAD,
                [Box::new(self.daemon.0), Box::new(micros(self.grace)), Box::new(self.as_of.map(|time| time.0))],
            ),
        ];
        let [renewed, _, dead] = session.pipeline_of(steps).await?;
        let Some(row) = renewed.first() else { return Ok(Served::StruckOut) };
        let (others, now) = (get(row, "others")?, DatabaseTime(get(row, "now")?));
        let dead = dead.iter().map(|row| get::<String>(row, "name")).collect::<Result<_, _>>()?;
        let taken = if self.wanted.is_empty() { BTreeMap::new() } else { self.take(session).await? };
        Ok(Served::Listed { taken, dead, others, now })
    }
}

impl Serve {
    async fn take(&self, session: &Session<'_>) -> Result<BTreeMap<EntityName, i64>, Fault> {
        let wanted: Vec<&str> = self.wanted.iter().map(EntityName::as_str).collect();
        let free = session.list(LOCK_FREE, &[&wanted, &self.daemon.0]).await?;
        let free = free.iter().map(|row| get::<String>(row, "entity")).collect::<Result<Vec<_>, _>>()?;
        if free.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Only what is locked now: nothing else may be recorded under its former number any more.
        let taken = session.list(TAKE, &[&free, &self.daemon.0]).await?;
        taken.iter().map(|row| Ok((parsed(row, "entity")?, get(row, "fence")?))).collect()
    }
}

impl Request for GiveUp {
    type Reply = ();

    const ACTION: &'static str = "give entities up";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let entities: Vec<&str> = self.entities.iter().map(EntityName::as_str).collect();
        session.execute(RELEASE, &[&entities, &self.daemon.0]).await?;
        Ok(())
    }
}

impl Request for Resign {
    type Reply = ();

    const ACTION: &'static str = "take this daemon off the list";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(STRIKE_OUT, &[&self.daemon.0]).await?;
        Ok(())
    }
}

impl Request for ListServers {
    type Reply = BTreeMap<EntityName, (DaemonId, String)>;

    const ACTION: &'static str = "list who serves what";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Self::Reply, Fault> {
        let rows = session.list(LIST, &[]).await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "entity")?, (DaemonId(get(row, "holder")?), get(row, "name")?))))
            .collect()
    }
}

impl Request for StartWrite {
    type Reply = bool;

    const ACTION: &'static str = "record the start of a write";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        let started = session.conclude(vec![Step::holding(START, [Box::new(self.operation.0)])]).await?;
        let is_on_record = started.iter().any(|rows| !rows.is_empty());
        Ok(is_on_record || planted(Mistake::NoIntent))
    }
}
