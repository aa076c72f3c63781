//! One claim, and the looks that come of it.
//!
//! What is claimed is known a moment before it is durable: the looks begin then. Until it is durable they read sources and do nothing
//! else, so a claim that comes to nothing leaves nothing behind.

use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::points::{self, Point};
use crate::store::StoreError;

use super::super::desk::SharedDesk;
use super::super::look::{self, Beginning, LookEnd};
use super::super::store::requests::queue::{
    Claim, Claimed, ClaimedLook, Enqueued, GiveBack, Notification, Receipt, Subject, TakeIn,
};
use super::super::supervision::panic_text;
use super::super::workshop::{Alone, Claiming};
use super::LookEnded;

/// Looks that have begun with a claim that is not durable yet.
struct Begun {
    claimed: Claimed,
    looks: Vec<JoinHandle<()>>,
    /// Lets them go on; dropped, it has them end.
    keep: oneshot::Sender<()>,
}

impl Begun {
    fn go_on(self) {
        // Those that have ended, by a panic, do not hear it.
        let _ = self.keep.send(());
    }

    /// Has the looks end, and waits until they have: what they hold may be put back then.
    async fn end(self) {
        drop(self.keep);
        drop(join_all(self.looks).await);
    }
}

/// Where looks are begun: by the configuration of the moment, which may be another than that of the claim by then.
pub(super) type Current = Rc<RefCell<Option<SharedDesk>>>;

/// How many looks a claim is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Those that there is room for: they are begun.
    pub(super) now: u32,
    /// Those that wait for room then.
    pub(super) ahead: u32,
}

/// Claims looks and begins those that there is room for; gives the time until the next item is due, if one is.
pub(super) async fn claim(
    desk: &SharedDesk,
    current: &Current,
    wanted: Wanted,
    claiming: &Claiming,
) -> Result<Option<Duration>, StoreError> {
    let (ahead, told) = mpsc::unbounded_channel();
    let limit = i64::from(wanted.now) + i64::from(wanted.ahead);
    let claim = Claim { entity: desk.entity.name.clone(), limit, ahead: Some(ahead) };
    let claimed = follow((desk, current, claiming), desk.ask(claim), told, (wanted.now, Clone::clone)).await?;
    Ok(claimed.next_due)
}

/// What became of a notification that was to be stored and claimed at once: `None` where there is more to do than that.
pub(super) type Taken = Option<(Enqueued, Claimed)>;

/// Stores a notification, claims it at once, and begins its look; does nothing unless that is all there is to do. What became of it is
/// told as soon as that is known: looks that have begun in vain may take long to end.
pub(super) async fn take_in(
    desk: &SharedDesk,
    current: &Current,
    notification: Notification,
    claiming: &Claiming,
    tell: impl FnOnce(&Result<Taken, StoreError>),
) -> Result<(), StoreError> {
    let (ahead, told) = mpsc::unbounded_channel();
    let asked = async {
        let taken = desk.ask(TakeIn { notification, ahead: Some(ahead) }).await;
        tell(&taken);
        taken
    };
    let nothing = || Claimed { looks: Vec::new(), next_due: None };
    let claimed = |taken: &Taken| taken.as_ref().map_or_else(nothing, |(_, claimed)| claimed.clone());
    follow((desk, current, claiming), asked, told, (1, claimed)).await.map(drop)
}

/// Begins the looks of a claim that there is `room` for, as soon as it is told of it, and lets them go on when it is durable, and the same.
/// The others wait for room then.
async fn follow<T>(
    (desk, current, claiming): (&SharedDesk, &Current, &Claiming),
    asked: impl Future<Output = Result<T, StoreError>>,
    mut told: mpsc::UnboundedReceiver<Claimed>,
    (room, of): (u32, impl FnOnce(&T) -> Claimed),
) -> Result<T, StoreError> {
    let begin = |claimed: Claimed| {
        // What was claimed under another lease is not looked at under this one.
        let current = current.borrow().clone().filter(|current| current.fence == desk.fence);
        begin(&current.unwrap_or_else(|| Rc::clone(desk)), claimed, room, claiming)
    };
    let asked = pin!(asked);
    let (begun, reply) = match select(asked, pin!(told.recv())).await {
        Either::Left((reply, _)) => (None, reply),
        Either::Right((claimed, asked)) => (claimed.map(&begin), asked.await),
    };
    let claimed = reply.as_ref().ok().map(of);
    let begun = match begun {
        Some(begun) if claimed.as_ref() == Some(&begun.claimed) => Some(begun),
        Some(void) => {
            void.end().await;
            None
        }
        None => None,
    };
    let reply = reply?;
    let begun = begun.or_else(|| claimed.map(begin));
    if let Some(begun) = begun {
        if !begun.claimed.looks.is_empty() {
            points::pass(Point::Claimed);
        }
        claiming.put_by(begun.claimed.looks.iter().skip(room as usize).cloned(), &desk.fence);
        begun.go_on();
    }
    Ok(reply)
}

fn begin(desk: &SharedDesk, claimed: Claimed, room: u32, claiming: &Claiming) -> Begun {
    let (keep, kept) = oneshot::channel();
    let kept = kept.shared();
    let looks = claimed.looks.iter().take(room as usize).map(|look| {
        let alone = match &look.subject {
            Subject::Record(record) => claiming.alone_since(*record),
            Subject::UnknownKey { .. } => None,
        };
        begin_look(desk, Beginning { claimed: look.clone(), alone, kept: kept.clone() })
    });
    let looks = looks.collect();
    Begun { claimed, looks, keep }
}

/// Begins a look that has waited for room, by the configuration of today.
pub(super) fn begin_ready(desk: &SharedDesk, claimed: ClaimedLook, alone: Option<Alone>) {
    let (keep, kept) = oneshot::channel();
    // It is durable.
    let _ = keep.send(());
    drop(begin_look(desk, Beginning { claimed, alone, kept: kept.shared() }));
}

/// Puts items back that were claimed, and that nobody has begun to look at.
pub(super) fn give_back(desk: &SharedDesk, items: Vec<Receipt>) {
    let (desk, held) = (Rc::clone(desk), desk.workshop.hold(items.clone()));
    actix::spawn(async move {
        let given_back = desk.insist(GiveBack { entity: desk.entity.name.clone(), items }).await;
        drop(held);
        let end = given_back.map_or(LookEnd::Stuck, |()| LookEnd::Settled { blocked_by: Vec::new() });
        desk.workshop.tell(LookEnded { end, took: None });
    });
}

/// Begins a look; one that panics costs its work items an attempt, and nothing else.
fn begin_look(desk: &SharedDesk, beginning: Beginning) -> JoinHandle<()> {
    let desk = Rc::clone(desk);
    let (items, kept) = (beginning.claimed.items.clone(), beginning.kept.clone());
    let held = desk.workshop.hold(items.iter().map(|item| item.receipt).collect());
    let began = Instant::now();
    actix::spawn(async move {
        let workshop = Arc::clone(&desk.workshop);
        let made = async move {
            match AssertUnwindSafe(look::look(Rc::clone(&desk), beginning)).catch_unwind().await {
                Ok(end) => end,
                Err(_) if kept.await.is_err() => LookEnd::Void,
                Err(panic) => look::panicked(desk, items, panic_text(panic)).await,
            }
        };
        let end = AssertUnwindSafe(made).catch_unwind().await.unwrap_or(LookEnd::Stuck);
        drop(held);
        workshop.tell(LookEnded { end, took: Some(began.elapsed()) });
    })
}
