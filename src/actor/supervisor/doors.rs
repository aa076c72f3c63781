//! The doors through which the API hands work in.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use actix::{Addr, AsyncContext, Context, Handler, Message, ResponseFuture};

use crate::domain::name::{EntityName, SourceName};
use crate::points::{self, Mistake, Point, planted};

use super::super::entity::{CarryOut, EntityActor, Foresee, Wake};
use super::super::messages::{
    Apply, ApproveDeletes, DecideAlike, DropItem, GetPreview, HandleItems, Notify, Ordered, Previewed, Refusal,
    Resolve, RetryItem, Settle, SyncRecord, Undo, Unsettleable,
};
use super::super::store::requests::browse::{HandleParked, HandledItems};
use super::super::store::requests::inbox::BatchId;
use super::super::store::requests::queue::{EnqueueRecord, Enqueued, Order, WorkItemId};
use super::super::store::requests::repeatable::Once;
use super::super::store::requests::view::{
    self, Approved, DropWorkItem, FindConflict, FindDoubt, Handled, RetryWorkItem,
};
use super::super::store::{Ask, put};
use super::ingest::Stored;
use super::{Phase, Supervisor};

impl Supervisor {
    /// Names what is wrong with a notification, if it is for something that is not configured.
    pub(super) fn check(&self, entity: &EntityName, source: &SourceName) -> Result<(), Refusal> {
        let Some(known) = self.config.entities.get(entity) else {
            return Err(Refusal::UnknownEntity(entity.clone()));
        };
        if known.sources.contains_key(source) {
            return Ok(());
        }
        Err(Refusal::UnknownSource(entity.clone(), source.clone()))
    }

    pub(super) fn entity(&self, entity: &EntityName) -> Result<Addr<EntityActor>, Refusal> {
        if !self.config.entities.contains_key(entity) {
            return Err(Refusal::UnknownEntity(entity.clone()));
        }
        self.entities.get(entity).map(|child| child.addr.clone()).ok_or(Refusal::Away)
    }

    /// Wakes the entity of an item that somebody has spoken of.
    fn handled(
        &self,
        handled: impl Future<Output = Result<Handled, Refusal>> + 'static,
        ctx: &Context<Self>,
    ) -> ResponseFuture<Result<Handled, Refusal>> {
        let supervisor = ctx.address();
        Box::pin(async move {
            let handled = handled.await?;
            if let Handled::Done(entity) = &handled {
                supervisor.do_send(WorkFor(entity.clone()));
            }
            Ok(handled)
        })
    }
}

/// There is work for an entity.
#[derive(Message)]
#[rtype(result = "()")]
struct WorkFor(EntityName);

impl Handler<WorkFor> for Supervisor {
    type Result = ();

    fn handle(&mut self, WorkFor(entity): WorkFor, _: &mut Context<Self>) {
        self.wake(&entity);
    }
}

impl Handler<Notify> for Supervisor {
    type Result = ResponseFuture<Result<Vec<Enqueued>, Refusal>>;

    fn handle(&mut self, Notify(notifications): Notify, _: &mut Context<Self>) -> Self::Result {
        let refused = notifications.iter().find_map(|hint| self.check(&hint.entity, &hint.source).err());
        if let Some(refused) = refused {
            return Box::pin(async { Err(refused) });
        }
        if self.phase != Phase::Working {
            return Box::pin(async { Err(Refusal::Away) });
        }
        let named: BTreeSet<&EntityName> = notifications.iter().map(|hint| &hint.entity).collect();
        let woken: Vec<_> = named.into_iter().filter_map(|name| self.entity(name).ok()).collect();
        let (number, tally) = (notifications.len(), self.kit.tally.clone());
        let entities: Vec<EntityName> = notifications.iter().map(|hint| hint.entity.clone()).collect();
        let idle = notifications.first().filter(|_| number == 1).filter(|hint| self.workshops.is_idle(&hint.entity));
        let alone = idle.and_then(|hint| self.entity(&hint.entity).ok());
        let stored = self.ingest.store(&self.store.addr, alone, notifications, &self.log);
        Box::pin(async move {
            let stored = stored.await;
            if planted(Mistake::DropOnUnavailable) && stored.is_err() {
                return Ok(vec![Enqueued { id: WorkItemId(0), coalesced: false }; number]);
            }
            let Stored { enqueued, is_claimed } = stored?;
            points::pass(Point::Notified);
            tally.notified(entities.into_iter().zip(enqueued.iter().map(|enqueued| enqueued.coalesced)));
            if !is_claimed {
                woken.iter().for_each(|entity| entity.do_send(Wake));
            }
            Ok(enqueued)
        })
    }
}

impl Handler<SyncRecord> for Supervisor {
    type Result = ResponseFuture<Result<Option<Enqueued>, Refusal>>;

    fn handle(&mut self, SyncRecord { entity, record }: SyncRecord, _: &mut Context<Self>) -> Self::Result {
        let (actor, store) = (self.entity(&entity), self.store.addr.clone());
        Box::pin(async move {
            let actor = actor?;
            let enqueued = put(&store, Ask(EnqueueRecord { entity, record, order: None })).await?;
            actor.do_send(Wake);
            Ok(enqueued)
        })
    }
}

impl Handler<Resolve> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, resolve: Resolve, _: &mut Context<Self>) -> Self::Result {
        let Resolve { conflict, revision, decision, attempt } = resolve;
        let store = self.store.addr.clone();
        let mut entities: BTreeMap<_, _> =
            self.config.entities.keys().map(|name| (name.clone(), self.entity(name))).collect();
        Box::pin(async move {
            let Some(row) = put(&store, Ask(FindConflict { id: conflict })).await? else {
                return Ok(Ordered::NotFound);
            };
            if row.closed {
                return Ok(Ordered::Stale(None));
            }
            let unknown = || Err(Refusal::UnknownEntity(row.entity.clone()));
            let actor = entities.remove(&row.entity).unwrap_or_else(unknown)?;
            let revision = revision.unwrap_or(row.revision);
            let order = Order::Resolve { conflict, revision, decision, together: None };
            actor.send(CarryOut { record: row.record, order, attempt }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<Settle> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, Settle { doubt, settlement, attempt }: Settle, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.addr.clone();
        let entities: BTreeMap<_, _> =
            self.entities.iter().map(|(name, child)| (name.clone(), child.addr.clone())).collect();
        Box::pin(async move {
            let Some(row) = put(&store, Ask(FindDoubt { id: doubt })).await? else { return Ok(Ordered::NotFound) };
            if row.settled {
                return Ok(Ordered::Unsettleable(Unsettleable::Closed));
            }
            let actor = entities.get(&row.entity).ok_or_else(|| Refusal::UnknownEntity(row.entity.clone()))?;
            let order = Order::Settle { doubt, settlement };
            actor.send(CarryOut { record: row.record, order, attempt }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<Undo> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, Undo { entity, record, version, attempt }: Undo, _: &mut Context<Self>) -> Self::Result {
        let actor = self.entity(&entity);
        Box::pin(async move {
            let order = Order::Undo { version };
            actor?.send(CarryOut { record, order, attempt }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<GetPreview> for Supervisor {
    type Result = ResponseFuture<Result<Previewed, Refusal>>;

    fn handle(&mut self, GetPreview { entity, record, deed }: GetPreview, _: &mut Context<Self>) -> Self::Result {
        let actor = self.entity(&entity);
        Box::pin(async move { actor?.send(Foresee { record, deed }).await.unwrap_or(Err(Refusal::Away)) })
    }
}

impl Handler<Apply> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, apply: Apply, _: &mut Context<Self>) -> Self::Result {
        let Apply { entity, record, deed, shown, attempt } = apply;
        let actor = self.entity(&entity);
        Box::pin(async move {
            let order = Order::AsShown { deed, shown };
            actor?.send(CarryOut { record, order, attempt }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<DecideAlike> for Supervisor {
    type Result = ResponseFuture<Result<BatchId, Refusal>>;

    fn handle(&mut self, DecideAlike(order): DecideAlike, _: &mut Context<Self>) -> Self::Result {
        let (actor, store) = (self.entity(&order.entity), self.store.addr.clone());
        Box::pin(async move {
            let actor = actor?;
            let batch = put(&store, Ask(order)).await?;
            points::pass(Point::Ordered);
            actor.do_send(Wake);
            Ok(batch)
        })
    }
}

impl Handler<ApproveDeletes> for Supervisor {
    type Result = ResponseFuture<Result<Approved, Refusal>>;

    fn handle(&mut self, approve: ApproveDeletes, _: &mut Context<Self>) -> Self::Result {
        let ApproveDeletes { entity, counted, attempt } = approve;
        let (actor, store) = (self.entity(&entity), self.store.addr.clone());
        Box::pin(async move {
            let actor = actor?;
            let approved =
                put(&store, Ask(Once { request: view::ApproveDeletes { entity, counted }, attempt })).await?;
            actor.do_send(Wake);
            Ok(approved)
        })
    }
}

impl Handler<RetryItem> for Supervisor {
    type Result = ResponseFuture<Result<Handled, Refusal>>;

    fn handle(&mut self, RetryItem { item, attempt }: RetryItem, ctx: &mut Context<Self>) -> Self::Result {
        let store = self.store.addr.clone();
        let once = Once { request: RetryWorkItem { id: item }, attempt };
        self.handled(async move { Ok(put(&store, Ask(once)).await?) }, ctx)
    }
}

impl Handler<DropItem> for Supervisor {
    type Result = ResponseFuture<Result<Handled, Refusal>>;

    fn handle(&mut self, DropItem { item, attempt }: DropItem, ctx: &mut Context<Self>) -> Self::Result {
        let store = self.store.addr.clone();
        let once = Once { request: DropWorkItem { id: item }, attempt };
        self.handled(async move { Ok(put(&store, Ask(once)).await?) }, ctx)
    }
}

impl Handler<HandleItems> for Supervisor {
    type Result = ResponseFuture<Result<HandledItems, Refusal>>;

    fn handle(&mut self, handle: HandleItems, ctx: &mut Context<Self>) -> Self::Result {
        let HandleItems { filter, last, handling, attempt } = handle;
        let (supervisor, store) = (ctx.address(), self.store.addr.clone());
        Box::pin(async move {
            let handled = put(&store, Ask(Once { request: HandleParked { filter, last, handling }, attempt })).await?;
            handled.iter().for_each(|(entity, _)| supervisor.do_send(WorkFor(entity.clone())));
            Ok(handled)
        })
    }
}
