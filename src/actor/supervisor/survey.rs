//! How everything is, as far as it can be told: for whoever measures, also while the database is away.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Context, Handler, ResponseFuture};
use futures_util::future::join;

use crate::store::Usage;

use super::super::messages::{GetSurvey, Survey};
use super::super::store::requests::lease::ListServers;
use super::super::store::requests::view::{CountAll, Counts};
use super::super::store::{Ask, GetUsage, put};
use super::status::{database_status, is_standby};
use super::{Phase, Supervisor};

/// How long the database is waited for: whoever measures has other questions, too.
const PATIENCE: Duration = Duration::from_secs(2);

impl Handler<GetSurvey> for Supervisor {
    type Result = ResponseFuture<Survey>;

    fn handle(&mut self, _: GetSurvey, _: &mut Context<Self>) -> Self::Result {
        let (store, ledger, uptime) = (self.store.addr.clone(), self.kit.ledger.clone(), self.started.elapsed());
        let is_prepared = self.phase != Phase::Preparing;
        let scene = self.scene();
        Box::pin(async move {
            let usage = store.send(GetUsage).await.unwrap_or_else(|_| Usage::default());
            let counted = async {
                let asked = tokio::time::timeout(PATIENCE, put(&store, Ask(CountAll)));
                if is_prepared { asked.await.ok().and_then(Result::ok) } else { None }
            };
            let (counts, states) = join(counted, scene.states()).await;
            let knows_counts = counts.is_some();
            let mut counts: BTreeMap<_, Counts> = counts.unwrap_or_default();
            let servers = async {
                let asked = tokio::time::timeout(PATIENCE, put(&store, Ask(ListServers)));
                asked.await.ok().and_then(Result::ok).unwrap_or_default()
            };
            let servers = if knows_counts && states.values().any(is_standby) { servers.await } else { BTreeMap::new() };
            let entities = if is_prepared { scene.entities(states, &mut counts, servers) } else { Vec::new() };
            let mut database = database_status(&ledger);
            database.up &= knows_counts;
            Survey { uptime, database, usage, entities, knows_counts, actors: ledger.read().actors }
        })
    }
}
