//! A notification that comes while there is nothing else to do: it is stored and claimed in one commit, so that its look begins by the
//! time at which it is acknowledged.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Context, Handler, Message};
use tokio::sync::oneshot;

use crate::log::chain;
use crate::store::StoreError;

use super::super::store::requests::queue::{Enqueued, Notification};
use super::claim::{self, Taken};
use super::{ClaimEnded, EntityActor, Phase};

/// Has a notification stored and looked at, if nothing else is to be done here; `accepted` is dropped unheard otherwise, and nothing is
/// done for one that nobody holds the other end of any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actor) struct Intake {
    pub(in crate::actor) notification: Notification,
    pub(in crate::actor) accepted: oneshot::Sender<Accepted>,
}

/// What became of a notification; `None` if it has to be stored in the ordinary way.
type Answer = Option<Result<Enqueued, StoreError>>;

/// Gives the answer; none where whoever was to give it failed.
type Accepted = oneshot::Receiver<Answer>;

impl EntityActor {
    /// Whether nothing is under way, and nothing is known to wait.
    fn has_nothing_to_do(&self) -> bool {
        self.phase == Phase::Working
            && self.room() > 0
            && self.workshop.looks() == 0
            && self.workshop.ready() == 0
            && self.timer.is_none()
            && !self.backlog
            && !self.workshop.paused.is_entity()
    }
}

impl Handler<Intake> for EntityActor {
    type Result = ();

    fn handle(&mut self, Intake { notification, accepted }: Intake, _: &mut Context<Self>) {
        let Some(desk) = self.desk().filter(|_| self.has_nothing_to_do()) else { return };
        let Some(claiming) = self.workshop.claim() else { return };
        let (answer, answered) = oneshot::channel();
        if accepted.send(answered).is_err() {
            return;
        }
        let (current, workshop) = (Rc::clone(&self.desk), Arc::clone(&self.workshop));
        actix::spawn(async move {
            // Whoever asked may be gone.
            let tell = |taken: &_| drop(answer.send(told(taken)));
            let ended = claim::take_in(&desk, &current, notification, &claiming, tell).await;
            drop(claiming);
            workshop.tell(ClaimEnded(ended.map(|()| None)));
        });
    }
}

/// Says what became of the notification. What was not stored for another reason than that the database is away is stored in the ordinary
/// way.
fn told(taken: &Result<Taken, StoreError>) -> Answer {
    match taken {
        Ok(taken) => taken.as_ref().map(|(enqueued, _)| Ok(enqueued.clone())),
        Err(StoreError::Unavailable(cause)) => Some(Err(StoreError::Unavailable(chain(&**cause).into()))),
        Err(_) => None,
    }
}
