//! What a person orders: stored like any other work, and answered once its look has ended.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message, ResponseFuture};

use crate::domain::key::InternalKey;
use crate::points::{self, Point};

use super::super::messages::{Ordered, Refusal};
use super::super::store::Ask;
use super::super::store::requests::queue::{EnqueueRecord, Order};
use super::super::store::requests::repeatable::{Attempt, Once};
use super::{EntityActor, Wake};

/// How long a person is kept waiting for an order.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries out a person's order: stores it, and answers with what came of it.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct CarryOut {
    pub record: InternalKey,
    pub order: Order,
    /// Of the request with a key that orders it.
    pub attempt: Option<Attempt>,
}

impl Handler<CarryOut> for EntityActor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, CarryOut { record, order, attempt }: CarryOut, ctx: &mut Context<Self>) -> Self::Result {
        let (store, workshop, actor) = (self.kit.store.clone(), Arc::clone(&self.workshop), ctx.address());
        let entity = self.entity.name.clone();
        Box::pin(async move {
            let request = EnqueueRecord { entity, record, order: Some(order) };
            let stored = store.send(Ask(Once { request, attempt })).await;
            let Some(stored) = stored.map_err(|_| Refusal::Away)?? else {
                return Ok(Ordered::NotFound);
            };
            points::pass(Point::Ordered);
            let told = workshop.orders.wait(stored.id);
            actor.do_send(Wake);
            match tokio::time::timeout(PATIENCE, told).await {
                Ok(Ok(ordered)) => Ok(ordered),
                Ok(Err(_)) | Err(_) => Ok(Ordered::Pending(stored.id)),
            }
        })
    }
}
