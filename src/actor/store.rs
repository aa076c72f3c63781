//! The store actor: owns the pool, and answers every question to the database.

use actix::{Actor, Context, Handler, Message, ResponseFuture};

use crate::store::Store;

pub use crate::store::{Request, StoreError, requests};

/// Owns the connection to the database.
pub struct StoreActor {
    store: Store,
}

impl StoreActor {
    /// Takes the store over.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;
}

/// Puts one request to the database; requests run side by side, bounded by the pool.
pub struct Ask<R>(pub R);

impl<R: Request> Message for Ask<R> {
    type Result = Result<R::Reply, StoreError>;
}

impl<R: Request> Handler<Ask<R>> for StoreActor {
    type Result = ResponseFuture<Result<R::Reply, StoreError>>;

    fn handle(&mut self, Ask(request): Ask<R>, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        Box::pin(async move { request.run(&store).await })
    }
}
