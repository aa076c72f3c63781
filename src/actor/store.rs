//! The store actor: owns the pool, and answers every question to the database.

use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Addr, Context, Handler, Message, MessageResult, ResponseFuture, Supervised};
use futures_util::FutureExt;
use slog::{Logger, warn};
use tokio::runtime::Handle;

use crate::log::{chain, key};
use crate::store::Store;
use crate::store::migrate::MigrateError;

use super::herald::Herald;
use super::supervision::{Drill, Lifeline, panic_text};
use requests::lease::Fence;

pub use crate::store::{Request, StoreError, Usage, requests};

/// The pauses between tries at a database that is away: doubling from the first to the last.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Owns the connections to the database.
pub struct StoreActor {
    store: Store,
    lifeline: Lifeline,
    /// Told when something may have happened.
    herald: Herald,
    log: Logger,
}

impl StoreActor {
    /// Takes the store over.
    pub(super) fn new(store: Store, lifeline: Lifeline, herald: Herald, log: Logger) -> Self {
        Self { store, lifeline, herald, log }
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.lifeline.up(ctx);
    }
}

/// The pool is sound whatever the actor did: sessions that broke are thrown out as they are found.
impl Supervised for StoreActor {}

/// Puts one request to the database; requests run side by side, bounded by the pool.
///
/// One that is under way outlives a failure of the actor, and one that panics fails alone.
pub struct Ask<R>(pub R);

impl<R: Request> Message for Ask<R> {
    type Result = Result<R::Reply, StoreError>;
}

/// Puts one request for who holds the lease of an entity.
pub struct AskUnder<R> {
    pub fence: Fence,
    /// How many looks of the entity are under way that may have something to record, too.
    pub looks: u32,
    pub request: R,
}

impl<R: Request> Message for AskUnder<R> {
    type Result = Result<R::Reply, StoreError>;
}

/// Puts a question to the store; one that cannot be asked counts as a database that is away.
pub(super) async fn put<M, T>(store: &Addr<StoreActor>, question: M) -> Result<T, StoreError>
where
    M: Message<Result = Result<T, StoreError>> + Send + 'static,
    T: Send + 'static,
    StoreActor: Handler<M>,
{
    let reply = store.send(question).await;
    reply.unwrap_or_else(|away| Err(StoreError::Unavailable(Box::new(away))))
}

/// An answer that is made where the connections are served, so that nothing changes threads in between, and goes from there to whoever
/// asked.
pub struct Answer<T> {
    making: Pin<Box<dyn Future<Output = T> + Send>>,
    runtime: Handle,
}

impl<M> MessageResponse<StoreActor, M> for Answer<M::Result>
where
    M: Message<Result: Send + 'static>,
{
    fn handle(self, _: &mut Context<StoreActor>, asker: Option<OneshotSender<M::Result>>) {
        self.runtime.spawn(async move {
            let answer = self.making.await;
            // Whoever asked may be gone, and then nobody misses the answer.
            drop(asker.map(|asker| asker.send(answer)));
        });
    }
}

impl<R: Request> Handler<Ask<R>> for StoreActor {
    type Result = Answer<Result<R::Reply, StoreError>>;

    fn handle(&mut self, Ask(request): Ask<R>, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        self.answer(R::ACTION, async move { request.run(&store).await })
    }
}

impl<R: Request> Handler<AskUnder<R>> for StoreActor {
    type Result = Answer<Result<R::Reply, StoreError>>;

    fn handle(&mut self, AskUnder { fence, looks, request }: AskUnder<R>, _: &mut Context<Self>) -> Self::Result {
        let (store, herald) = (self.store.clone(), self.herald.clone());
        self.answer(R::ACTION, async move {
            let reply = request.run_among(looks, fence, &store).await;
            if R::WRITES {
                herald.wake();
            }
            reply
        })
    }
}

impl StoreActor {
    /// Answers a request, also if it panics, and takes in what it shows of the database.
    fn answer<T: Send + 'static>(
        &self,
        action: &'static str,
        request: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<Result<T, StoreError>> {
        let (store, lifeline, runtime) = (self.store.clone(), self.lifeline.clone(), self.store.runtime().clone());
        let making = Box::pin(async move {
            let answered = AssertUnwindSafe(request).catch_unwind().await;
            let reply = answered.unwrap_or_else(|panic| Err(StoreError::Failed { action, why: panic_text(panic) }));
            match &reply {
                // What can be read while nothing can be stored is no sign of health.
                Ok(_) => match store.shortage() {
                    Some(short) => lifeline.cannot_reach(&short, None),
                    None => lifeline.reaches(),
                },
                Err(away @ StoreError::Unavailable(_)) => lifeline.cannot_reach(&chain(away), None),
                Err(
                    StoreError::Refused { .. }
                    | StoreError::Deposed { .. }
                    | StoreError::Failed { .. }
                    | StoreError::Unreadable { .. },
                ) => {}
            }
            reply
        });
        Answer { making, runtime }
    }
}

/// Asks how many of the sessions are in use.
#[derive(Message)]
#[rtype(result = "Usage")]
pub struct GetUsage;

impl Handler<GetUsage> for StoreActor {
    type Result = MessageResult<GetUsage>;

    fn handle(&mut self, _: GetUsage, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.store.usage())
    }
}

/// Brings the schema up to date, waiting for a database that is away; gives the number of migrations made.
#[derive(Message)]
#[rtype(result = "Result<usize, MigrateError>")]
pub struct Prepare;

impl Handler<Prepare> for StoreActor {
    type Result = ResponseFuture<Result<usize, MigrateError>>;

    fn handle(&mut self, _: Prepare, _: &mut Context<Self>) -> Self::Result {
        let (store, log, lifeline) = (self.store.clone(), self.log.clone(), self.lifeline.clone());
        let is_away = move |error: &MigrateError| {
            let is_away = matches!(error, MigrateError::Store(StoreError::Unavailable(_)));
            if is_away {
                lifeline.cannot_reach(&chain(error), None);
            }
            is_away
        };
        Box::pin(async move { until_there(&log, async || store.migrate().await, is_away).await })
    }
}

/// Ends the actor in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

impl Handler<Finish> for StoreActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for StoreActor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        self.lifeline.drill(drill, ctx);
    }
}

/// Tries until the database is there, with growing pauses.
///
/// # Errors
/// Whatever waiting does not cure.
pub(super) async fn until_there<T, E: Error>(
    log: &Logger,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
    is_away: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut pause = PAUSES.0;
    loop {
        match attempt().await {
            Err(error) if is_away(&error) => {
                warn!(log, "database away"; key::ERROR => chain(&error), key::DELAY_MS => pause.as_millis() as u64);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            other => return other,
        }
    }
}
