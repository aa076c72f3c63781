//! What every look of one entity has at hand.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use slog::Logger;
use tokio::runtime::Handle;

use crate::config::model::{Entity, Mode};
use crate::domain::name::SourceName;
use crate::domain::plan::{RetryTerms, Terms, Traits};
use crate::domain::record::OperationId;
use crate::domain::schema::Schema;
use crate::log::chain;
use crate::metrics::Tally;
use crate::source::boot_time::BootTime;
use crate::store::{Request, StoreError};

use super::errand::Start;
use super::source::SourceActor;
use super::store::requests::lease::{Fence, StartWrite};
use super::store::{AskUnder, StoreActor, put, until_there};
use super::workshop::Workshop;

/// For how long the database's word that a write may start is good.
const FRESH: Duration = Duration::from_secs(1);

/// The entity's configuration and the actors it works with; one for each configuration and each lease that runs.
pub(super) struct Desk {
    pub(super) entity: Arc<Entity>,
    pub(super) terms: Terms,
    pub(super) retry: RetryTerms,
    /// The right to record what is decided here.
    pub(super) fence: Fence,
    pub(super) store: Addr<StoreActor>,
    pub(super) sources: BTreeMap<SourceName, Addr<SourceActor>>,
    pub(super) workshop: Arc<Workshop>,
    pub(super) tally: Tally,
    pub(super) log: Logger,
}

impl Desk {
    pub(super) fn new(
        entity: Arc<Entity>,
        fence: Fence,
        (store, tally): (Addr<StoreActor>, Tally),
        sources: BTreeMap<SourceName, Addr<SourceActor>>,
        workshop: Arc<Workshop>,
        log: Logger,
    ) -> Self {
        let terms = terms(&entity);
        let retry = &entity.retry;
        let retry = RetryTerms { first: retry.first, max: retry.max, attempts: retry.attempts };
        Self { entity, terms, retry, fence, store, sources, workshop, tally, log }
    }

    /// Puts a request to the store, and again for as long as the database is away.
    ///
    /// # Errors
    /// Whatever waiting does not cure.
    pub(super) async fn insist<R: Request + Clone>(&self, request: R) -> Result<R::Reply, StoreError> {
        let is_away = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
        until_there(&self.log, async || self.ask(request.clone()).await, is_away).await
    }

    /// Puts a request to the store, once.
    pub(super) async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, StoreError> {
        put(&self.store, AskUnder { fence: self.fence.clone(), looks: self.workshop.looks(), request }).await
    }

    /// Gives what puts the start of a write on record, right before its program is started. One that was `begun` with its decision
    /// is on record since then; where that is long ago, the database is asked for its word once more.
    pub(super) fn start_of(&self, operation: OperationId, begun: Option<BootTime>) -> Start {
        let (store, fence, runtime) = (self.store.clone(), self.fence.clone(), Handle::current());
        let ask = move || AskUnder { fence: fence.clone(), looks: 1, request: StartWrite { operation } };
        Box::new(move || {
            if begun.is_some_and(|begun| BootTime::now() - begun <= FRESH) {
                return Ok(());
            }
            match runtime.block_on(put(&store, ask())) {
                Ok(true) => Ok(()),
                Ok(false) => Err("it is settled already".to_owned()),
                Err(error) => Err(chain(&error)),
            }
        })
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

/// What looks share on the thread of their entity.
pub(super) type SharedDesk = Rc<Desk>;
