//! How everything is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Context, Handler, ResponseFuture};
use futures_util::future::join_all;

use crate::config::Config;
use crate::config::model::Entity;
use crate::domain::name::{EntityName, SourceName};
use crate::source::gate::GateState;

use super::super::entity::{EntityActor, EntityState, GetEntityState};
use super::super::messages::{DatabaseStatus, EntityStatus, GetStatus, Refusal, SourceStatus, Status};
use super::super::store::requests::lease::{DaemonId, ListServers};
use super::super::store::requests::view::{CountAll, Counts};
use super::super::store::{Ask, put};
use super::super::supervision::{ActorPath, ActorState, Ledger};
use super::{Phase, Supervisor};

/// How long an entity is waited for that does not answer at once: it may be on its way to being restarted.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state of an entity of which a person has stopped the work.
const PAUSED: &str = "paused";

/// The state of an entity that another daemon serves.
const STANDBY: &str = "standby";

/// The entities, and who is asked about them.
pub(super) struct Scene {
    config: Arc<Config>,
    ledger: Ledger,
    daemon: DaemonId,
    actors: Vec<(EntityName, Addr<EntityActor>)>,
}

/// What the actors of the entities say; `None` of one that does not answer.
pub(super) type States = BTreeMap<EntityName, Option<EntityState>>;

impl Supervisor {
    pub(super) fn scene(&self) -> Scene {
        let actors = self.entities.iter().map(|(name, child)| (name.clone(), child.addr.clone()));
        Scene {
            config: Arc::clone(&self.config),
            ledger: self.kit.ledger.clone(),
            daemon: self.kit.office.daemon(),
            actors: actors.collect(),
        }
    }
}

impl Scene {
    /// Asks every entity.
    pub(super) async fn states(&self) -> States {
        let states = self.actors.iter().map(|(name, actor)| async move {
            let state = actor.send(GetEntityState).timeout(PATIENCE).await;
            (name.clone(), state.ok())
        });
        join_all(states).await.into_iter().collect()
    }

    /// Puts together how the entities are; `servers` are those of the entities that are served elsewhere, if they are to be named.
    pub(super) fn entities(
        &self,
        mut states: States,
        counts: &mut BTreeMap<EntityName, Counts>,
        mut servers: BTreeMap<EntityName, (DaemonId, String)>,
    ) -> Vec<EntityStatus> {
        let status = |entity: &Arc<Entity>| {
            let state = states.remove(&entity.name).flatten();
            let counts = counts.remove(&entity.name).unwrap_or_default();
            // If it is this one, its actor is about to hear of it.
            let server = servers.remove(&entity.name).filter(|(id, _)| is_standby(&state) && *id != self.daemon);
            match server {
                Some((_, server)) => stands_by(entity, server, counts),
                None => entity_status(entity, state, counts, &self.ledger),
            }
        };
        self.config.entities.values().map(status).collect()
    }
}

/// Whether an entity says that another daemon serves it, or nobody.
pub(super) fn is_standby(state: &Option<EntityState>) -> bool {
    state.as_ref().is_some_and(|state| state.standby)
}

impl Handler<GetStatus> for Supervisor {
    type Result = ResponseFuture<Result<Status, Refusal>>;

    fn handle(&mut self, _: GetStatus, _: &mut Context<Self>) -> Self::Result {
        if self.phase == Phase::Preparing {
            return Box::pin(async { Err(Refusal::Away) });
        }
        let (store, ledger) = (self.store.addr.clone(), self.kit.ledger.clone());
        let (scene, uptime_s) = (self.scene(), self.started.elapsed().as_secs());
        Box::pin(async move {
            let mut counts = put(&store, Ask(CountAll)).await?;
            let states = scene.states().await;
            let servers = match states.values().any(is_standby) {
                true => put(&store, Ask(ListServers)).await?,
                false => BTreeMap::new(),
            };
            let entities = scene.entities(states, &mut counts, servers);
            let database = database_status(&ledger);
            let ready = database.up && entities.iter().all(|entity| matches!(entity.state, "up" | PAUSED | STANDBY));
            Ok(Status { uptime_s, database, entities, ready })
        })
    }
}

/// How the database is that has just been asked: it may be one that can only be read.
pub(super) fn database_status(ledger: &Ledger) -> DatabaseStatus {
    let outage = ledger.find(&ActorPath::Store).and_then(|store| store.outage);
    DatabaseStatus { up: outage.is_none(), error: outage.map(|outage| outage.error) }
}

/// How an entity is that another daemon serves: what only that one knows is left out.
fn stands_by(entity: &Entity, server: String, counts: Counts) -> EntityStatus {
    let unknown = || SourceStatus { state: STANDBY, restarts: 0, last_error: None, next_probe_ms: None };
    EntityStatus {
        name: entity.name.clone(),
        state: STANDBY,
        served_by: Some(server),
        counts,
        in_flight: 0,
        throttle: GateState::default(),
        sources: entity.sources.keys().map(|source| (source.clone(), unknown())).collect(),
    }
}

fn entity_status(entity: &Entity, state: Option<EntityState>, counts: Counts, ledger: &Ledger) -> EntityStatus {
    let name = entity.name.clone();
    match state {
        Some(EntityState { working, standby: _, paused, in_flight, throttle, sources }) => {
            let state = match (working, paused) {
                (true, true) => PAUSED,
                (true, false) => "up",
                (false, _) => "starting",
            };
            EntityStatus { name, state, served_by: None, counts, in_flight, throttle, sources }
        }
        None => {
            let sources = entity.sources.keys().map(|source| (source.clone(), unasked(entity, source, ledger)));
            let (in_flight, throttle) = Default::default();
            let state = word(&ActorPath::Entity(name.clone()), ledger);
            EntityStatus { name, state, served_by: None, counts, in_flight, throttle, sources: sources.collect() }
        }
    }
}

/// What the ledger alone tells of a source.
fn unasked(entity: &Entity, source: &SourceName, ledger: &Ledger) -> SourceStatus {
    let path = ActorPath::Source(entity.name.clone(), source.clone());
    let actor = ledger.find(&path);
    let restarts = actor.as_ref().map_or(0, |actor| actor.restarts);
    let last_error = actor.and_then(|actor| actor.last_failure).map(|failure| failure.error);
    SourceStatus { state: word(&path, ledger), restarts, last_error, next_probe_ms: None }
}

/// Returns the state of an actor that does not answer.
fn word(path: &ActorPath, ledger: &Ledger) -> &'static str {
    match ledger.find(path).map(|actor| actor.state) {
        // It is up, and busy.
        Some(ActorState::Up) | None => ActorState::Starting.as_str(),
        Some(state) => state.as_str(),
    }
}
