//! What the routes work with: the doors to the actors, and the configuration in force.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};
use tokio::sync::watch;

use super::access::{Sessions, Signers, Tokens};
use super::arrears::Arrears;
use super::problem::{Code, Refused};
use super::under_way::UnderWay;
use crate::actor::herald::Herald;
use crate::actor::reloader::{FileState, Reload, Reloaded, Reloader};
use crate::actor::store::{Ask, Request, StoreActor, StoreError};
use crate::actor::supervision::Supervision;
use crate::actor::supervisor::{GetSupervision, GetSurvey, ListRuns, PastRun, Refusal, Supervisor, Survey};
use crate::config::model::{Config, Entity};
use crate::domain::name::{EntityName, SourceName};
use crate::log::chain;
use crate::metrics::Tally;

/// How long a request waits for the database: less than the half minute after which clients lose theirs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the routes work with; a clone is as good as the original.
#[derive(Clone)]
pub struct Service {
    pub supervisor: Addr<Supervisor>,
    pub store: Addr<StoreActor>,
    pub reloader: Addr<Reloader>,
    /// The tokens with which the API is used over TCP.
    pub tokens: Arc<Tokens>,
    /// The browsers that signed in with one of them.
    pub sessions: Arc<Sessions>,
    /// Those who may sign notifications.
    pub signers: Arc<Signers>,
    /// The configuration in force; a reload sends the next one.
    pub config: watch::Receiver<Arc<Config>>,
    /// The file it was read from.
    pub config_path: PathBuf,
    /// How it stands to that file.
    pub config_state: watch::Receiver<FileState>,
    /// What this process has counted.
    pub tally: Tally,
    /// Makes events public.
    pub herald: Herald,
    /// The requests with a key that are carried out here.
    pub under_way: UnderWay,
    /// What is still to be recorded.
    pub arrears: Arrears,
    pub log: slog::Logger,
}

impl Service {
    /// Asks the supervisor for work.
    pub(super) async fn order<M, T>(&self, message: M) -> Result<T, Refused>
    where
        M: Message<Result = Result<T, Refusal>> + Send + 'static,
        T: Send + 'static,
        Supervisor: Handler<M>,
        <Supervisor as Actor>::Context: ToEnvelope<Supervisor, M>,
    {
        let reply = in_time(self.supervisor.send(message)).await?.map_err(|_| away())?;
        reply.map_err(|refusal| self.refusal(refusal))
    }

    /// Asks how every actor is.
    pub(super) async fn supervision(&self) -> Result<Supervision, Refused> {
        self.supervisor.send(GetSupervision).await.map_err(|_| away())
    }

    /// Asks how everything is, as far as that can be told.
    pub(super) async fn survey(&self) -> Result<Survey, Refused> {
        self.supervisor.send(GetSurvey).await.map_err(|_| away())
    }

    /// Asks for the latest runs at a source that this daemon has made, the latest first.
    pub(super) async fn past_runs(&self, entity: &EntityName, source: &SourceName) -> Result<Vec<PastRun>, Refused> {
        let list = ListRuns { entity: entity.clone(), source: source.clone() };
        self.supervisor.send(list).await.map_err(|_| away())
    }

    /// Puts a question to the database.
    pub(super) async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, Refused> {
        let reply = in_time(self.store.send(Ask(request))).await?.map_err(|_| away())?;
        reply.map_err(|error| self.failed(&error))
    }

    /// Has the configuration read again.
    pub(super) async fn reload(&self) -> Result<Reloaded, Refused> {
        let reply = self.reloader.send(Reload).await.map_err(|_| away())?;
        reply.map_err(|refusal| self.refusal(refusal))
    }

    /// Whether those who come over TCP come over TLS.
    pub(super) fn is_over_tls(&self) -> bool {
        self.config.borrow().server.tls.is_some()
    }

    /// Finds a configured entity.
    pub(super) fn entity(&self, name: &EntityName) -> Result<Arc<Entity>, Refused> {
        let found = self.config.borrow().entities.get(name).cloned();
        found.ok_or_else(|| Refused::new(Code::UnknownEntity, format_args!("no entity is named {name}")))
    }

    /// Checks that an entity has this source.
    pub(super) fn source(&self, entity: &Entity, name: &SourceName) -> Result<(), Refused> {
        let unknown =
            || Refused::new(Code::UnknownSource, format_args!("the entity {} has no source named {name}", entity.name));
        entity.sources.get(name).map(|_| ()).ok_or_else(unknown)
    }

    /// Tells whether any entity has a source of this name.
    pub(super) fn has_source(&self, name: &SourceName) -> bool {
        self.config.borrow().entities.values().any(|entity| entity.sources.contains_key(name))
    }

    /// Says why the supervisor did not take work on.
    fn refusal(&self, refusal: Refusal) -> Refused {
        match refusal {
            Refusal::UnknownEntity(_) => Refused::new(Code::UnknownEntity, refusal),
            Refusal::UnknownSource(..) => Refused::new(Code::UnknownSource, refusal),
            Refusal::Store(error) => self.failed(&error),
            Refusal::Away => away(),
        }
    }

    /// Says what the database could not do; what is no passing outage is logged too.
    fn failed(&self, error: &StoreError) -> Refused {
        let chain = chain(error);
        match error {
            StoreError::Unavailable(_) => Refused::new(Code::StoreUnavailable, chain),
            _ if error.lacks_schema() => {
                Refused::new(Code::NotReady, "the database is being prepared: its tables are not all there yet")
            }
            StoreError::Refused { .. }
            | StoreError::Deposed { .. }
            | StoreError::Failed { .. }
            | StoreError::Unreadable { .. } => {
                slog::error!(self.log, "request failed"; "error" => &chain);
                Refused::new(Code::Internal, chain)
            }
        }
    }
}

/// Waits for an answer, but not for ever: a database that is frozen and not gone breaks no connection.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Refused> {
    let answered = tokio::time::timeout(PATIENCE, answer).await;
    answered.map_err(|_| Refused::new(Code::StoreUnavailable, "the database does not answer"))
}

fn away() -> Refused {
    Refused::new(Code::Unavailable, "the daemon is starting, stopping, or restarting the part that was asked")
}
