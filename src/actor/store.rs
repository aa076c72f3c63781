//! The store actor: owns the pool, and answers every question to the database.

use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use slog::{Logger, info, warn};

use crate::log::{chain, key};
use crate::store::Store;
use crate::store::migrate::MigrateError;

pub use crate::store::{Request, StoreError, requests};

/// The longest pause between two tries at a database that is not there yet.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Owns the connections to the database.
pub struct StoreActor {
    store: Store,
    log: Logger,
}

impl StoreActor {
    /// Takes the store over.
    pub fn new(store: Store, log: Logger) -> Self {
        Self { store, log }
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor started");
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor stopped");
    }
}

/// Puts one request to the database; requests run side by side, bounded by the pool.
pub struct Ask<R>(pub R);

impl<R: Request> Message for Ask<R> {
    type Result = Result<R::Reply, StoreError>;
}

impl<R: Request> Handler<Ask<R>> for StoreActor {
    type Result = ResponseFuture<Result<R::Reply, StoreError>>;

    fn handle(&mut self, Ask(request): Ask<R>, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        Box::pin(async move { request.run(&store).await })
    }
}

/// Brings the schema up to date, waiting for a database that is away; gives the number of migrations made.
#[derive(Message)]
#[rtype(result = "Result<usize, MigrateError>")]
pub struct Prepare;

impl Handler<Prepare> for StoreActor {
    type Result = ResponseFuture<Result<usize, MigrateError>>;

    fn handle(&mut self, _: Prepare, _: &mut Context<Self>) -> Self::Result {
        let (store, log) = (self.store.clone(), self.log.clone());
        Box::pin(async move {
            let mut pause = Duration::from_millis(100);
            loop {
                match store.migrate().await {
                    Err(MigrateError::Store(away @ StoreError::Unavailable(_))) => {
                        warn!(log, "database away"; key::ERROR => chain(&away), key::DELAY_MS => pause.as_millis() as u64);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    other => return other,
                }
            }
        })
    }
}
