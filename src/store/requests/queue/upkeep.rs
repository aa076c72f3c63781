//! What keeps the queue in order: after a crash, when a source is back, when items are old.

use crate::domain::name::EntityName;
use crate::points::{Mistake, bent};
use crate::store::columns::{get, micros, parsed};
use crate::store::run::{Authority, Fault, Mode, Request, Session, Step};
use crate::store::session;

use super::finish::PutBack;
use super::{Confirm, ListDue, Ping, PurgeFinished, Recover, Recovered, Release, columns, receipt};

const CREATE_ENTITY: &str = include_str!("../../sql/entity/create.sql");
const LOCK_ENTITY: &str = include_str!("../../sql/entity/lock.sql");
const RECOVER_OPERATIONS: &str = include_str!("../../sql/operation/recover.sql");
const LIST_RUNNING: &str = include_str!("../../sql/work_item/list_running.sql");
const LIST_DUE: &str = include_str!("../../sql/entity/list_due.sql");
const FIND_UNCLAIMED: &str = include_str!("../../sql/work_item/find_unclaimed.sql");
const RELEASE_ALL: &str = include_str!("../../sql/work_item/release_all.sql");
const RELEASE_HELD: &str = include_str!("../../sql/work_item/release_all_held.sql");
const RELEASE: &str = include_str!("../../sql/work_item/release.sql");
const PROBE: &str = include_str!("../../sql/work_item/probe.sql");
const PURGE: &str = include_str!("../../sql/work_item/purge.sql");
const PURGE_OPERATIONS: &str = include_str!("../../sql/operation/purge.sql");
const PURGE_BATCHES: &str = include_str!("../../sql/batch/purge.sql");
const PING: &str = include_str!("../../sql/database/ping.sql");

/// How many items one statement releases or removes.
const BATCH: i64 = 1000;

impl Request for Recover {
    type Reply = Recovered;

    const ACTION: &'static str = "recover work";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Recovered, Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let [of_looks, _] = columns(&self.held);
        let [held, claims] = columns(&self.held);
        let steps = [
            Step::new(CREATE_ENTITY, [entity()]),
            // A claim whose answer was lost may still be under way.
            Step::new(LOCK_ENTITY, [entity()]),
            Step::new(bent(Mistake::ForgetDoubt, RECOVER_OPERATIONS, "'in-doubt'", "'open'"), [entity(), of_looks]),
            Step::new(RELEASE_ALL, [entity()]),
            Step::new(RELEASE_HELD, [entity()]),
            Step::new(bent(Mistake::NoRecovery, LIST_RUNNING, "'running'", "'nothing'"), [entity(), held, claims]),
            Step::new(FIND_UNCLAIMED, [entity()]),
        ];
        let [_, _, _, _, _, running, unclaimed] = session.pipeline_of(steps).await?;
        let items = running.iter().map(receipt).collect::<Result<Vec<_>, _>>()?;
        let put_back = items.len() as u64;
        if put_back > 0 {
            session.pipeline(vec![PutBack::unbegun(items).step(&self.entity)]).await?;
        }
        Ok(Recovered { put_back, has_work: put_back > 0 || !unclaimed.is_empty() })
    }
}

impl Request for ListDue {
    type Reply = Vec<EntityName>;

    const ACTION: &'static str = "look for due work";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<EntityName>, Fault> {
        let rows = session.list(LIST_DUE, &[]).await?;
        rows.iter().map(|row| parsed(row, "name")).collect()
    }
}

impl Request for Release {
    type Reply = u64;

    const ACTION: &'static str = "release work";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<u64, Fault> {
        let (entity, source) = (self.entity.as_str(), self.source.as_str());
        if self.probe {
            return session.execute(PROBE, &[&entity, &source]).await;
        }
        let mut released = 0;
        loop {
            let rows = session.list(RELEASE, &[&entity, &source, &BATCH]).await?;
            let count = |column| rows.first().map_or(Ok(0), |row| get::<i64>(row, column));
            released += count("released")?.unsigned_abs();
            if count("chosen")? < BATCH {
                return Ok(released);
            }
        }
    }
}

impl Request for PurgeFinished {
    type Reply = u64;

    const ACTION: &'static str = "remove finished work";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<u64, Fault> {
        let older_than = micros(self.older_than);
        let mut removed = 0;
        for purge in [PURGE, PURGE_OPERATIONS, PURGE_BATCHES] {
            loop {
                let batch = session.execute(purge, &[&older_than, &BATCH]).await?;
                removed += batch;
                if batch < BATCH.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

impl Request for Ping {
    type Reply = ();

    const ACTION: &'static str = "answer";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.list(PING, &[]).await?;
        Ok(())
    }
}

impl Request for Confirm {
    type Reply = ();

    const ACTION: &'static str = "confirm what was committed";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        match session.list(session::CONFIRM, &[]).await {
            Err(Fault::Database(error)) if session::cannot_tell(&error) => Ok(()),
            confirmed => confirmed.map(drop),
        }
    }
}
