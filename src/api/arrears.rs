//! What was done and could not be recorded, because the database was away at that moment: it is recorded once the database is back.

use std::time::Duration;

use actix::{Addr, ArbiterHandle};
use slog::{Logger, warn};
use tokio::sync::mpsc;

use super::under_way::Turn;
use crate::actor::store::requests::access::EndAct;
use crate::actor::store::requests::repeatable::EndRequest;
use crate::actor::store::{Ask, Request, StoreActor, StoreError};
use crate::log::{chain, key};

/// So much is kept at most. Nothing is begun while the database is away, so that it is what was under way when it went.
const KEPT: usize = 1024;

/// How long between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Something that is to be recorded.
#[derive(Debug)]
pub(super) enum Debt {
    /// What came of an act.
    Act(EndAct),
    /// What a request was answered; who asks meanwhile is answered from memory.
    Answer(EndRequest, Turn),
}

/// Takes on what is to be recorded later; a clone is as good as the original.
#[derive(Debug, Clone)]
pub struct Arrears(mpsc::Sender<Debt>);

impl Arrears {
    /// Begins to record what will be taken on, in its order.
    pub fn start(arbiter: &ArbiterHandle, store: Addr<StoreActor>, log: &Logger) -> Self {
        let (owe, owed) = mpsc::channel(KEPT);
        arbiter.spawn(pay(owed, store, log.clone()));
        Self(owe)
    }

    /// Takes something on; `false` if there is too much already, or the daemon ends.
    pub(super) fn owe(&self, debt: Debt) -> bool {
        self.0.try_send(debt).is_ok()
    }
}

async fn pay(mut owed: mpsc::Receiver<Debt>, store: Addr<StoreActor>, log: Logger) {
    while let Some(debt) = owed.recv().await {
        let recorded = match debt {
            Debt::Act(end) => insist(&store, &end).await,
            Debt::Answer(end, turn) => {
                let recorded = insist(&store, &end).await;
                drop(turn);
                recorded
            }
        };
        if let Err(error) = recorded {
            warn!(log, "outcome not recorded"; key::ERROR => chain(&error));
        }
    }
}

/// Records something as soon as the database can be reached.
async fn insist<R: Request + Clone>(store: &Addr<StoreActor>, request: &R) -> Result<(), StoreError> {
    loop {
        match store.send(Ask(request.clone())).await {
            Ok(Ok(_)) => return Ok(()),
            // Also where the actor is being restarted.
            Ok(Err(StoreError::Unavailable(_))) | Err(_) => tokio::time::sleep(PAUSE).await,
            Ok(Err(error)) => return Err(error),
        }
    }
}
