//! The end of the supervisor, in order or not.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message, ResponseFuture};
use futures_util::future::join_all;

use crate::source::process::cancel::Cancel;

use super::super::lock::whole;
use super::super::supervision::{Child, Ended};
use super::super::workshop::Workshops;
use super::super::{entity, leases, store};
use super::{Finish, Phase, StopEntities, Supervisor};

/// How long runs that were cancelled may still take before they are left alone: their own grace, and a moment to record them.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// Everything below has stopped.
#[derive(Message)]
#[rtype(result = "()")]
struct AllStopped;

impl Supervisor {
    /// Gives up; what follows is in [`report`].
    pub(super) fn cannot_go_on(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.phase = Phase::Stopping;
        self.lifeline.give_up(ctx, reason);
    }

    /// Has every entity end what it has begun; what is given resolves when all have, and those that were given up have
    /// left nothing under way.
    pub(super) fn finish_entities(&self) -> impl Future<Output = ()> + use<> {
        let entities = self.entities.values().chain(self.leaving.values());
        let ended: Vec<_> = entities.map(Child::ended).collect();
        self.workshops.tell(|| entity::Finish);
        let idle = self.workshops.idle();
        async move {
            join_all(ended).await;
            idle.await;
        }
    }
}

impl Handler<StopEntities> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: StopEntities, _: &mut Context<Self>) -> Self::Result {
        self.phase = Phase::Stopping;
        self.lifeline.stopping();
        // What others free is not taken any more; the time of what is under way is prolonged.
        self.leases.addr.do_send(leases::Want(BTreeSet::new()));
        let (finished, leases) = (self.finish_entities(), self.leases.clone());
        Box::pin(async move {
            finished.await;
            // Nothing is under way any more: others may go on at once. Who is gone has nothing to give up.
            let _ = leases.addr.send(leases::Finish).await;
            leases.ended().await;
        })
    }
}

impl Handler<Finish> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.phase = Phase::Closing;
        self.store.addr.do_send(store::Finish);
        let (ended, supervisor) = (self.store.ended(), ctx.address());
        actix::spawn(async move {
            ended.await;
            supervisor.do_send(AllStopped);
        });
    }
}

impl Handler<AllStopped> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: AllStopped, ctx: &mut Context<Self>) {
        self.threads.end();
        self.lifeline.finish(ctx);
    }
}

/// Who is told how it ended: why it was given up, or nothing if it was stopped.
pub(super) type Told = Box<dyn Fn(Option<String>) + Send>;

/// Tells of the supervisor's end, once. If it was given up, nobody is left to end what runs: that is done first.
pub(super) fn report(told: Told, workshops: Workshops, cancel: Cancel) -> Box<dyn Fn(u64, Ended) + Send> {
    let told = Mutex::new(Some(told));
    Box::new(move |_, how| {
        let Some(told) = whole(&told).take() else { return };
        match how {
            Ended::InOrder => told(None),
            Ended::GivenUp(reason) => {
                workshops.tell(|| entity::Finish);
                cancel.trigger();
                // Whatever thread the supervisor was on may be gone.
                let workshops = workshops.clone();
                std::thread::spawn(move || {
                    wait_for(&workshops);
                    told(Some(reason));
                });
            }
        }
    })
}

/// Waits until nothing is under way, but not for ever.
fn wait_for(workshops: &Workshops) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    if let Ok(runtime) = runtime {
        let _ = runtime.block_on(async { tokio::time::timeout(LAST_MOMENTS, workshops.idle()).await });
    }
}
