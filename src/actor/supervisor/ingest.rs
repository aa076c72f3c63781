//! Takes notifications in: those that come while a statement is under way go into the next one together, and share its commit.
//!
//! Nobody waits for company: whoever comes to an idle door is stored at once; one notification that comes alone, of an entity that has
//! nothing else to do, is claimed in the same commit. The door is bounded, and each post is stored whole or not at all.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix::{ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use slog::{Logger, debug, warn};
use tokio::sync::oneshot;

use crate::log::{chain, key};

use super::super::entity::{EntityActor, Intake};
use super::super::messages::Refusal;
use super::super::store::requests::queue::{Enqueue, Enqueued, Notification};
use super::super::store::requests::repeatable::PurgeRequests;
use super::super::store::{Ask, StoreActor, StoreError, put};
use super::Supervisor;

/// How many notifications one statement stores, unless a single post has more.
const TOGETHER: usize = 1_000;

/// How many may wait for the next statement.
const MOST: usize = 50_000;

/// How long an entity may take to say whether it takes a notification; it is busy then.
const HEED: Duration = Duration::from_millis(5);

/// Where posts wait for their statement; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ingest(Rc<RefCell<Waiting>>);

#[derive(Default)]
struct Waiting {
    posts: VecDeque<Post>,
    /// Of all posts.
    notifications: usize,
    /// Whether statements are being made.
    busy: bool,
}

/// What one caller brought, and to whom the answer goes.
struct Post {
    notifications: Vec<Notification>,
    /// Who serves the entity of the only one, if nothing is under way there.
    entity: Option<Addr<EntityActor>>,
    answer: oneshot::Sender<Result<Stored, StoreError>>,
}

/// What became of a post.
pub(super) struct Stored {
    /// In the order of its notifications.
    pub(super) enqueued: Vec<Enqueued>,
    /// Whether they are claimed already, and nobody need be told of them.
    pub(super) is_claimed: bool,
}

/// Statements are being made, for as long as this is held: also if that ends with a panic.
struct Busy(Ingest);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.borrow_mut().busy = false;
    }
}

impl Ingest {
    /// Stores notifications, all or none; answers in their order, once they are durable.
    pub(super) fn store(
        &self,
        store: &Addr<StoreActor>,
        entity: Option<Addr<EntityActor>>,
        notifications: Vec<Notification>,
        log: &Logger,
    ) -> impl Future<Output = Result<Stored, Refusal>> + use<> {
        let (answer, stored) = oneshot::channel();
        let taken = self.take(Post { notifications, entity, answer });
        if taken && !std::mem::replace(&mut self.0.borrow_mut().busy, true) {
            let (busy, store, log) = (Busy(self.clone()), store.clone(), log.clone());
            actix::spawn(async move {
                while let Some(posts) = busy.0.next() {
                    if let Some(posts) = take_in(&store, posts, &log).await {
                        store_together(&store, posts).await;
                    }
                }
            });
        }
        async move { Ok(stored.await.map_err(|_| Refusal::Away)??) }
    }

    /// Lets a post wait for its turn; one too many is let go of, and is answered by that.
    fn take(&self, post: Post) -> bool {
        let mut waiting = self.0.borrow_mut();
        if waiting.notifications.saturating_add(post.notifications.len()) > MOST {
            return false;
        }
        waiting.notifications += post.notifications.len();
        waiting.posts.push_back(post);
        true
    }

    /// Takes the posts of the next statement, those first that came first.
    fn next(&self) -> Option<Vec<Post>> {
        let mut waiting = self.0.borrow_mut();
        let first = waiting.posts.pop_front()?;
        let mut number = first.notifications.len();
        let mut posts = vec![first];
        while let Some(next) = waiting.posts.front()
            && number + next.notifications.len() <= TOGETHER
        {
            number += next.notifications.len();
            posts.extend(waiting.posts.pop_front());
        }
        waiting.notifications -= number;
        Some(posts)
    }
}

impl Supervisor {
    /// Forgets requests that were answered so long ago that nobody sends them once more.
    pub(super) fn forget_requests(&self, ctx: &mut Context<Self>) {
        let store = self.store.addr.clone();
        let forgotten = async move { put(&store, Ask(PurgeRequests)).await };
        ctx.spawn(forgotten.into_actor(self).map(|forgotten, actor, _| {
            if let Err(error) = forgotten {
                warn!(actor.log, "old requests cannot be forgotten"; key::ERROR => chain(&error));
            }
        }));
    }
}

/// Has a notification that comes alone stored and claimed by who serves its entity, and waits for no more than the word that it will be;
/// gives back what has to be stored in the ordinary way.
async fn take_in(store: &Addr<StoreActor>, posts: Vec<Post>, log: &Logger) -> Option<Vec<Post>> {
    let [Post { notifications, entity: Some(entity), .. }] = &*posts else { return Some(posts) };
    let [notification] = &**notifications else { return Some(posts) };
    let (accepted, is_accepted) = oneshot::channel();
    entity.do_send(Intake { notification: notification.clone(), accepted });
    let Ok(accepted) = tokio::time::timeout(HEED, is_accepted).await else {
        // When it comes to it, it finds that nobody waits for it any more.
        debug!(log, "notification not heeded in time"; key::ENTITY => %notification.entity);
        return Some(posts);
    };
    let Ok(stored) = accepted else { return Some(posts) };
    let store = store.clone();
    actix::spawn(async move {
        let Ok(Some(stored)) = stored.await else { return store_together(&store, posts).await };
        let stored = stored.map(|enqueued| Stored { enqueued: vec![enqueued], is_claimed: true });
        // Whoever asked may be gone.
        drop(posts.into_iter().next().map(|post| post.answer.send(stored)));
    });
    None
}

async fn store_together(store: &Addr<StoreActor>, posts: Vec<Post>) {
    let notifications: Vec<_> = posts.iter().flat_map(|post| post.notifications.iter().cloned()).collect();
    match put(store, Ask(Enqueue { notifications })).await {
        Ok(stored) => {
            let mut stored = stored.into_iter();
            for Post { notifications, answer, .. } in posts {
                let enqueued = stored.by_ref().take(notifications.len()).collect();
                // Whoever asked may be gone.
                drop(answer.send(Ok(Stored { enqueued, is_claimed: false })));
            }
        }
        Err(StoreError::Unavailable(cause)) => {
            let why = chain(&*cause);
            for post in posts {
                drop(post.answer.send(Err(StoreError::Unavailable(why.clone().into()))));
            }
        }
        // What one of them does to the database is no fault of the others.
        Err(
            StoreError::Refused { .. }
            | StoreError::Deposed { .. }
            | StoreError::Failed { .. }
            | StoreError::Unreadable { .. },
        ) => {
            for Post { notifications, answer, .. } in posts {
                let enqueued = put(store, Ask(Enqueue { notifications })).await;
                drop(answer.send(enqueued.map(|enqueued| Stored { enqueued, is_claimed: false })));
            }
        }
    }
}
