//! The lives of one actor, one after the other: nothing that panics in them gets out.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::dev::ContextFut;
use actix::dev::channel::AddressReceiver;
use actix::{Actor, ActorContext, Context, Supervised};
use futures_util::FutureExt;

/// An actor and its mailbox, between being made and being taken down.
///
/// An `Err` is the text of a panic.
pub(super) struct Life<A: Supervised + Actor<Context = Context<A>>>(Option<ContextFut<A, Context<A>>>);

impl<A: Supervised + Actor<Context = Context<A>>> Life<A> {
    /// Makes the actor; it is started by the first [`live`](Self::live).
    pub(super) fn make(mailbox: AddressReceiver<A>, make: impl FnOnce(&mut Context<A>) -> A) -> Result<Self, String> {
        caught(|| {
            let mut ctx = Context::with_receiver(mailbox);
            let actor = make(&mut ctx);
            Self(Some(ctx.into_future(actor)))
        })
    }

    /// Lives until the actor stops or panics.
    pub(super) async fn live(&mut self) -> Result<(), String> {
        match &mut self.0 {
            Some(life) => AssertUnwindSafe(life).catch_unwind().await.map_err(panic_text),
            None => Ok(()),
        }
    }

    /// Says whether anybody holds the actor's address.
    pub(super) fn is_wanted(&mut self) -> bool {
        self.0.as_mut().is_some_and(|life| life.ctx().connected())
    }

    /// Ends what was under way in it and has it let go of what is half done; the next [`live`](Self::live) starts it again.
    pub(super) fn set_back(&mut self) -> Result<(), String> {
        // Without an address it is not set back, which is as well: then it is not started again either.
        caught(|| self.0.as_mut().map(ContextFut::restart)).map(drop)
    }

    /// Drops the actor and what waits for it.
    pub(super) fn take_down(&mut self) -> Result<(), String> {
        let Some(mut life) = self.0.take() else { return Ok(()) };
        caught(move || {
            // A context that is dropped alive is polled once more, and one that was set back would start its actor for that.
            life.ctx().terminate();
            drop(life);
        })
    }
}

/// Here and not in a drop within an unwinding: a second panic would end the process.
impl<A: Supervised + Actor<Context = Context<A>>> Drop for Life<A> {
    fn drop(&mut self) {
        // Its thread is gone, and with it everybody who could do something about it.
        let _ = self.take_down();
    }
}

fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(panic_text)
}

/// Returns the text of a panic.
pub fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    // What a panic carries may panic when it is dropped.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    format!("panicked: {}", text.as_deref().unwrap_or("with a value that is no text"))
}
