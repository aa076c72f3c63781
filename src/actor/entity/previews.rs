//! What people ask before they deed: previews, made beside the work that is due.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::{Context, Handler, Message, ResponseFuture};
use futures_util::FutureExt;
use tokio::sync::watch;

use crate::domain::key::InternalKey;

use super::super::desk::SharedDesk;
use super::super::lock::whole;
use super::super::look::{self, LookEnd};
use super::super::messages::{Previewed, Refusal};
use super::super::store::requests::queue::Deed;
use super::super::supervision::panic_text;
use super::{EntityActor, LookEnded, Phase};

/// How long a person is kept waiting for a preview.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that came too late is kept for whoever asks again.
const KEPT: Duration = Duration::from_secs(60);
/// How many are made or kept at a time.
const MOST: usize = 64;

/// Says what a deed would come to, or an ordinary look.
#[derive(Message)]
#[rtype(result = "Result<Previewed, Refusal>")]
pub struct Foresee {
    pub record: InternalKey,
    pub deed: Option<Deed>,
}

/// What is asked, and what comes of it.
struct Asked {
    record: InternalKey,
    deed: Option<Deed>,
    since: Instant,
    answer: watch::Receiver<Option<Previewed>>,
}

/// The previews that are being made, and those that came too late for who asked.
#[derive(Default)]
pub(in crate::actor) struct Previews(Mutex<Vec<Asked>>);

impl Previews {
    /// Gives what comes of this question, if it was asked before and nobody has been told.
    fn find(&self, record: InternalKey, deed: Option<&Deed>) -> Option<watch::Receiver<Option<Previewed>>> {
        let mut asked = whole(&self.0);
        asked.retain(|each| each.answer.borrow().is_none() || each.since.elapsed() < KEPT);
        asked.iter().find(|each| each.record == record && each.deed.as_ref() == deed).map(|each| each.answer.clone())
    }

    /// Takes a question in; `None` if there are too many.
    fn open(&self, record: InternalKey, deed: Option<Deed>) -> Option<watch::Sender<Option<Previewed>>> {
        let mut asked = whole(&self.0);
        (asked.len() < MOST).then(|| {
            let (tell, answer) = watch::channel(None);
            asked.push(Asked { record, deed, since: Instant::now(), answer });
            tell
        })
    }

    /// Forgets a question that was answered: whoever asks it again wants to know how it is then.
    fn close(&self, answer: &watch::Receiver<Option<Previewed>>) {
        whole(&self.0).retain(|each| !each.answer.same_channel(answer));
    }
}

impl Handler<Foresee> for EntityActor {
    type Result = ResponseFuture<Result<Previewed, Refusal>>;

    fn handle(&mut self, Foresee { record, deed }: Foresee, _: &mut Context<Self>) -> Self::Result {
        let refused = match self.phase {
            Phase::Working if self.workshop.paused.is_entity() => Ok(Previewed::Unserved("its work is paused")),
            Phase::Working => match self.desk() {
                Some(desk) => return Box::pin(answered(desk, record, deed)),
                None => Err(Refusal::Away),
            },
            Phase::Standby => Ok(Previewed::Unserved("another daemon serves it")),
            Phase::Recovering | Phase::Draining | Phase::Closing => Err(Refusal::Away),
        };
        Box::pin(async { refused })
    }
}

fn answered(
    desk: SharedDesk,
    record: InternalKey,
    deed: Option<Deed>,
) -> impl Future<Output = Result<Previewed, Refusal>> {
    let workshop = Arc::clone(&desk.workshop);
    let answer = workshop.previews.find(record, deed.as_ref()).or_else(|| begin(desk, record, deed));
    async move {
        let Some(mut answer) = answer else { return Ok(Previewed::Reading) };
        let told = tokio::time::timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        let told = told.map(|told| told.ok().and_then(|previewed| previewed.clone()));
        let Ok(previewed) = told else { return Ok(Previewed::Reading) };
        workshop.previews.close(&answer);
        previewed.ok_or(Refusal::Away)
    }
}

/// Begins a preview: it goes on, and takes a look's place in flight, whatever becomes of who asked.
fn begin(desk: SharedDesk, record: InternalKey, deed: Option<Deed>) -> Option<watch::Receiver<Option<Previewed>>> {
    let tell = desk.workshop.previews.open(record, deed.clone())?;
    let answer = tell.subscribe();
    let held = desk.workshop.hold(Vec::new());
    actix::spawn(async move {
        let workshop = Arc::clone(&desk.workshop);
        let made = AssertUnwindSafe(look::preview(Rc::clone(&desk), record, deed)).catch_unwind().await;
        tell.send_replace(Some(made.unwrap_or_else(|panic| Previewed::Failed(panic_text(panic)))));
        drop(held);
        workshop.tell(LookEnded { end: LookEnd::Settled { blocked_by: Vec::new() }, took: None });
    });
    Some(answer)
}
