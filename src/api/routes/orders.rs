//! What came of a person's order, as an answer.

use actix::dev::ToEnvelope;
use actix::{Actor, Handler, Message};
use actix_web::HttpResponse;

use super::repeat::Repeat;
use crate::actor::store::requests::repeatable::Attempt;
use crate::actor::supervisor::{Ordered, Refusal, Supervisor, Unsettleable};
use crate::api::Service;
use crate::api::describe::Operation;
use crate::api::problem::{Code, Refused};
use crate::api::wire::conflict::Contender;
use crate::api::wire::order::{OrderAnswer, OrderState};

/// Describes what every order answers.
pub(super) fn told(operation: Operation) -> Operation {
    operation
        .answers::<OrderAnswer>(
            200,
            "Decided and recorded, as a version of the record.",
            r#"{"state": "applied", "record": 12, "version": 4}"#,
        )
        .answers::<OrderAnswer>(
            202,
            "Stored, and not decided within 5 s: the work item goes on with it.",
            r#"{"state": "pending", "work_item": 18}"#,
        )
}

/// Has an order carried out; one that is stored already is left to its work item.
pub(in crate::api) async fn carry_out<M>(
    service: &Service,
    repeat: Repeat,
    order: impl FnOnce(Option<Attempt>) -> M,
) -> Result<Ordered, Refused>
where
    M: Message<Result = Result<Ordered, Refusal>> + Send + 'static,
    Supervisor: Handler<M>,
    <Supervisor as Actor>::Context: ToEnvelope<Supervisor, M>,
{
    match repeat.ordered() {
        Some(item) => Ok(Ordered::Pending(item)),
        None => service.order(order(repeat.attempt)).await,
    }
}

/// Puts it into words; `not_found` says what there is not.
pub(in crate::api) fn answer(ordered: Ordered, not_found: impl FnOnce() -> Refused) -> Result<HttpResponse, Refused> {
    let pending = |item, last_error| {
        let answer =
            OrderAnswer { state: OrderState::Pending, record: None, version: None, work_item: Some(item), last_error };
        Ok(HttpResponse::Accepted().json(answer))
    };
    match ordered {
        Ordered::Applied { record, version } => {
            let (record, version) = (Some(record.0), Some(version));
            let answer = OrderAnswer { state: OrderState::Applied, record, version, work_item: None, last_error: None };
            Ok(HttpResponse::Ok().json(answer))
        }
        Ordered::Pending(item) => pending(item.0, None),
        Ordered::Failed { item, error } => pending(item.0, Some(error)),
        Ordered::NotFound => Err(not_found()),
        Ordered::Senseless(reason) => Err(Refused::new(Code::SenselessResolution, reason)),
        Ordered::Stale(None) => Err(Refused::new(Code::StaleConflict, "the conflict is closed: nothing was applied")),
        Ordered::Stale(Some(now)) => {
            let detail =
                format!("the conflict {} is at revision {} now: nothing was applied", now.conflict, now.revision);
            Err(Refused::new(Code::StaleConflict, detail).with(|problem| {
                problem.revision = Some(now.revision);
                problem.contenders = Some(now.contenders.into_iter().map(Contender::from).collect());
            }))
        }
        Ordered::Moved(_) => {
            Err(Refused::new(Code::StaleConflict, "it would not come to what was shown: nothing was applied"))
        }
        Ordered::Unsettleable(why) => Err(unsettleable(&why)),
        Ordered::Blocked(pointers) => {
            let places = pointers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let detail = format!("a later version changed these places again: {places}");
            Err(Refused::new(Code::UndoBlocked, detail).with(|problem| problem.pointers = Some(pointers)))
        }
    }
}

/// Says why a doubt cannot be settled so.
fn unsettleable(why: &Unsettleable) -> Refused {
    match why {
        Unsettleable::Closed => Refused::new(Code::SettledDoubt, "it is not in doubt any more: nothing was applied"),
        Unsettleable::Taken { key, record } => {
            Refused::new(Code::KeyTaken, format_args!("{:?} is the copy of record {record}", key.as_str()))
        }
        Unsettleable::NothingThere(key) => {
            Refused::new(Code::NothingThere, format_args!("the source has nothing under the key {:?}", key.as_str()))
        }
        Unsettleable::StillThere(key) => {
            let key = key.as_str();
            Refused::new(Code::CopyThere, format_args!("the copy is there, under its key {key:?}; settle it with that"))
        }
    }
}
