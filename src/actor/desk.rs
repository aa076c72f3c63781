//! What every look of one entity has at hand.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use slog::{Logger, warn};
use tokio::sync::{Mutex, OwnedMutexGuard, RwLock, RwLockReadGuard};

use crate::config::model::{Entity, Mode};
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;
use crate::domain::plan::{RetryTerms, Terms, Traits};
use crate::domain::schema::Schema;
use crate::log::key;
use crate::store::{Request, StoreError};

use super::entity::EntityActor;
use super::source::SourceActor;
use super::store::{Ask, StoreActor};

/// The longest pause between two tries at a database that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The entity's configuration and the actors it works with; one for each configuration that runs.
pub(super) struct Desk {
    pub(super) entity: Arc<Entity>,
    pub(super) terms: Terms,
    pub(super) retry: RetryTerms,
    pub(super) store: Addr<StoreActor>,
    pub(super) actor: Addr<EntityActor>,
    pub(super) sources: BTreeMap<SourceName, Addr<SourceActor>>,
    pub(super) log: Logger,
    records: RecordLocks,
    introductions: RwLock<()>,
}

impl Desk {
    pub(super) fn new(
        entity: Arc<Entity>,
        store: Addr<StoreActor>,
        actor: Addr<EntityActor>,
        sources: BTreeMap<SourceName, Addr<SourceActor>>,
        log: Logger,
    ) -> Self {
        let terms = terms(&entity);
        let retry = &entity.retry;
        let retry = RetryTerms { first: retry.first, max: retry.max, attempts: retry.attempts };
        Self {
            entity,
            terms,
            retry,
            store,
            actor,
            sources,
            log,
            records: RecordLocks::default(),
            introductions: RwLock::default(),
        }
    }

    /// Puts a request to the store, and again for as long as the database is away.
    ///
    /// # Errors
    /// Whatever waiting does not cure.
    pub(super) async fn insist<R: Request + Clone>(&self, request: R) -> Result<R::Reply, StoreError> {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.ask(request.clone()).await {
                Err(error @ StoreError::Unavailable(_)) => {
                    warn!(self.log, "store away"; key::ERROR => crate::log::chain(&error), key::DELAY_MS => pause.as_millis() as u64);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }

    /// Puts a request to the store, once.
    pub(super) async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, StoreError> {
        match self.store.send(Ask(request)).await {
            Ok(reply) => reply,
            Err(away) => Err(StoreError::Unavailable(Box::new(away))),
        }
    }

    /// Held while it is found out whose copy a new key is.
    pub(super) async fn introducing(&self) -> RwLockReadGuard<'_, ()> {
        self.introductions.read().await
    }

    /// Waits until it is known whose copies the keys are that were being looked at when this was called.
    pub(super) async fn all_introduced(&self) {
        drop(self.introductions.write().await);
    }

    /// Waits until no other look is at this record.
    pub(super) async fn alone_with(&self, record: InternalKey) -> OwnedMutexGuard<()> {
        self.records.lock(record).await
    }
}

fn terms(entity: &Entity) -> Terms {
    let traits = |source: &crate::config::model::Source| Traits {
        fields: source.fields.clone(),
        create_is_idempotent: source.create_is_idempotent,
    };
    Terms {
        rules: entity.rules.clone(),
        schema: entity
            .schema
            .as_ref()
            .map(|schema| Schema::compile(&schema.value).expect("it was compiled when the configuration was checked")),
        sources: entity.sources.iter().map(|(name, source)| (name.clone(), traits(source))).collect(),
        observe: entity.mode == Mode::Observe,
        delete_after: i64::try_from(entity.delete_after.as_micros()).unwrap_or(i64::MAX),
    }
}

/// A lock for each record that is being looked at, and none for the others.
#[derive(Default)]
struct RecordLocks(RefCell<HashMap<InternalKey, Arc<Mutex<()>>>>);

impl RecordLocks {
    async fn lock(&self, record: InternalKey) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.borrow_mut();
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(record).or_default())
        };
        lock.lock_owned().await
    }
}

/// What looks share on the thread of their entity.
pub(super) type SharedDesk = Rc<Desk>;
