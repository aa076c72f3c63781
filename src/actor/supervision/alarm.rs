//! What an actor does later.

use std::convert::Infallible;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context};
use tokio::sync::oneshot;

/// Something that an actor does later, unless this is dropped before; a failure of the actor calls it off, too.
///
/// An actor of this layer never uses `cancel_future`: actix numbers what an actor spawns anew after each failure, and a number
/// that was called off in the turn that failed takes away what bears it next.
#[must_use = "dropping it calls it off"]
pub struct Alarm {
    _kept: oneshot::Sender<Infallible>,
}

impl Alarm {
    /// Has the actor do something after a delay.
    pub fn set<A>(ctx: &mut Context<A>, delay: Duration, ring: impl FnOnce(&mut A, &mut Context<A>) + 'static) -> Self
    where
        A: Actor<Context = Context<A>>,
    {
        let (kept, called_off) = oneshot::channel();
        let waited = tokio::time::timeout(delay, called_off);
        ctx.spawn(wrap_future::<_, A>(waited).map(|waited, actor, ctx| {
            if waited.is_err() {
                ring(actor, ctx);
            }
        }));
        Self { _kept: kept }
    }
}
