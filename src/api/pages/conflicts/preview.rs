//! What a person's choices come to, and that just that is done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::choices::{Choices, Picked};
use super::closed::{self, Ending};
use super::show::{Said, chosen, find, say};
use crate::actor::store::requests::inbox::{ListInbox, Within};
use crate::actor::store::requests::queue::{Choice, Deed};
use crate::actor::store::requests::view::{ConflictRow, FindWorkItem, WorkState};
use crate::actor::supervisor::{Apply, GetPreview, Ordered, PreviewReady, Previewed, SyncRecord};
use crate::api::Service;
use crate::api::input;
use crate::api::pages::comes::Comes;
use crate::api::pages::form::{Fields, Form};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::owed;
use crate::api::pages::page::{done, page, page_as};
use crate::api::pages::parts::Trouble;
use crate::api::problem::{Code, Refused};
use crate::api::routes::{orders, repeat::Repeat};
use crate::domain::plan::{Fate, Moved, Shown, breaches_at};

/// How long it is waited until what moved is on record.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What the form of a preview has: the choices of each conflict, and what they were shown to come to.
pub(super) const APPLIED: Fields = &["pick-", "revision-", "typed-", "as-", "seen-", "shown"];

/// What may be sent to be previewed: the choices, also from a preview that was shown before.
pub(super) const PREVIEWED: Fields = &["pick-", "revision-", "typed-", "as-", "seen-", "shown", "back", "once"];

#[derive(Template)]
#[template(path = "preview.html", config = "src/api/pages/askama.toml")]
struct PreviewPage {
    frame: Frame,
    id: i64,
    title: String,
    chosen: Vec<(String, String)>,
    /// The choices, and what was shown.
    hidden: Vec<(String, String)>,
    /// `None`: the systems are still being read.
    comes: Option<Comes>,
}

/// Shows what the choices come to. Nothing is recorded, and nothing written.
pub(super) async fn preview(
    service: web::Data<Service>,
    visitor: Visitor,
    id: web::Path<String>,
    form: Form,
) -> Result<HttpResponse, Refused> {
    if !visitor.may_act() {
        return Err(Refused::new(Code::Forbidden, "to decide takes a token with the role operate"));
    }
    let conflict = find(&service, &id).await?;
    if conflict.closed {
        return closed::show(&service, visitor, conflict, Ending::late()).await;
    }
    let choices = Choices::read(&form);
    if form.text("back").is_some() {
        return say(&service, visitor, conflict, Said { choices, ..Said::default() }).await;
    }
    let decided = match decided(&choices) {
        Ok(decided) => decided,
        Err(said) => return say(&service, visitor, conflict, *said).await,
    };
    let deed = Some(Deed::Resolve(decided.clone()));
    let asked = GetPreview { entity: conflict.entity.clone(), record: conflict.record, deed };
    match service.order(asked).await? {
        Previewed::Ready(ready) if ready.preview.fate == Fate::Done => {
            let errors = breaches(&service, &conflict, &choices, &ready).await?;
            if !errors.is_empty() {
                return say(&service, visitor, conflict, wrong(choices, errors)).await;
            }
            show(&service, visitor, &conflict, &choices, &decided, Some(&ready)).await
        }
        Previewed::Ready(_) => {
            record_what_moved(&service, &conflict).await?;
            say(&service, visitor, conflict, moved(choices, &Moved::default())).await
        }
        Previewed::Reading => show(&service, visitor, &conflict, &choices, &decided, None).await,
        Previewed::Refused(refused) => refuse(&service, visitor, conflict, choices, refused).await,
        Previewed::Unserved(why) => {
            let detail = format!("{} cannot be looked at here and now: {why}.", conflict.entity);
            let trouble = Some(Trouble::new("There is no preview now", detail));
            let said = Said { status: StatusCode::CONFLICT, choices, trouble, ..Said::default() };
            say(&service, visitor, conflict, said).await
        }
        Previewed::Failed(why) => {
            let trouble = Some(Trouble::new("There is no preview now", why));
            let said = Said { status: StatusCode::SERVICE_UNAVAILABLE, choices, trouble, ..Said::default() };
            say(&service, visitor, conflict, said).await
        }
    }
}

/// Carries the choices out, if they still come to what was shown.
pub(super) async fn resolve(
    service: web::Data<Service>,
    visitor: Visitor,
    id: web::Path<String>,
    form: Form,
    repeat: Repeat,
) -> Result<HttpResponse, Refused> {
    let conflict = find(&service, &id).await?;
    let choices = Choices::read(&form);
    let decided = match decided(&choices) {
        Ok(decided) => decided,
        Err(said) => return say(&service, visitor, conflict, *said).await,
    };
    let shown: Shown = form
        .required("shown")?
        .parse()
        .map_err(|_| input::malformed("the form does not say what was shown: load its page anew"))?;
    let (entity, record, deed) = (conflict.entity.clone(), conflict.record, Deed::Resolve(decided));
    let ordered = orders::carry_out(&service, repeat, |attempt| Apply { entity, record, deed, shown, attempt }).await?;
    let path = format!("/conflicts/{}", conflict.id);
    match ordered {
        Ordered::Applied { version, .. } => done(&format!("{path}?version={version}"), "applied"),
        Ordered::Pending(item) => done(&format!("{path}?item={}", item.0), "pending"),
        Ordered::Failed { item, error } => {
            let trouble = Some(owed::not_yet(item, Some(&error)));
            say(&service, visitor, conflict, Said { status: StatusCode::ACCEPTED, choices, trouble, ..Said::default() })
                .await
        }
        refused => refuse(&service, visitor, conflict, choices, refused).await,
    }
}

/// Reads a word on at least one field.
fn decided(choices: &Choices) -> Result<Vec<Choice>, Box<Said>> {
    match choices.decisions() {
        Ok(decided) if decided.is_empty() => {
            let trouble = Trouble::new("Nothing is chosen yet", "Choose a value for one field at least.");
            let (status, choices) = (StatusCode::UNPROCESSABLE_ENTITY, choices.clone());
            Err(Box::new(Said { status, choices, trouble: Some(trouble), ..Said::default() }))
        }
        Ok(decided) => Ok(decided),
        Err(errors) => Err(Box::new(wrong(choices.clone(), errors))),
    }
}

fn wrong(choices: Choices, errors: BTreeMap<i64, String>) -> Said {
    let trouble = Trouble::new("Something that was typed cannot stand there", "It is said at its field.");
    Said { status: StatusCode::UNPROCESSABLE_ENTITY, choices, trouble: Some(trouble), errors, ..Said::default() }
}

/// The page that says that the values moved: nothing was applied, and the choices are kept.
fn moved(choices: Choices, moved: &Moved) -> Said {
    let mut detail = "What the systems hold is another than you were shown, so nothing was applied.".to_owned();
    if !moved.copies.is_empty() {
        detail = format!("{detail} Another answer came from {}.", crate::api::pages::words::names(&moved.copies));
    }
    if let Some(version) = moved.version {
        detail = format!("{detail} The record has version {version} by now.");
    }
    let trouble = Trouble::new("The values moved meanwhile", detail);
    Said { status: StatusCode::CONFLICT, choices, trouble: Some(trouble), has_moved: true, ..Said::default() }
}

async fn refuse(
    service: &Service,
    visitor: Visitor,
    conflict: ConflictRow,
    choices: Choices,
    refused: Ordered,
) -> Result<HttpResponse, Refused> {
    let said = match refused {
        Ordered::Moved(what) => moved(choices, &what),
        Ordered::Stale(_) => moved(choices, &Moved::default()),
        Ordered::Senseless(why) => Said {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            trouble: Some(Trouble::new("A choice makes no sense here", why)),
            choices,
            ..Said::default()
        },
        other => return orders::answer(other, || Refused::new(Code::UnknownRecord, "there is no such record")),
    };
    say(service, visitor, conflict, said).await
}

/// What the typed values would break of the schema, by conflict.
async fn breaches(
    service: &Service,
    conflict: &ConflictRow,
    choices: &Choices,
    ready: &PreviewReady,
) -> Result<BTreeMap<i64, String>, Refused> {
    let mut errors = BTreeMap::new();
    if ready.preview.breaches.is_empty() {
        return Ok(errors);
    }
    let list =
        ListInbox { entity: conflict.entity.clone(), within: Within::Record(conflict.record), after: 0, limit: 1_000 };
    for row in service.ask(list).await?.items {
        let is_typed = choices.of(row.row.id).is_some_and(|given| given.picked == Some(Picked::Typed));
        let why: Vec<&str> =
            breaches_at(&ready.preview.breaches, &row.row.conflict.path).map(|breach| breach.why.as_str()).collect();
        if is_typed && !why.is_empty() {
            errors.insert(row.row.id, format!("The schema of this entity does not allow that: {}.", why.join("; ")));
        }
    }
    Ok(errors)
}

/// Has the record looked at, so that what moved is on record, and can be decided.
async fn record_what_moved(service: &Service, conflict: &ConflictRow) -> Result<(), Refused> {
    let look = SyncRecord { entity: conflict.entity.clone(), record: conflict.record };
    let Some(asked) = service.order(look).await? else { return Ok(()) };
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let item = service.ask(FindWorkItem { id: asked.id }).await?;
        if item.is_none_or(|item| matches!(item.state, WorkState::Done | WorkState::Parked | WorkState::Waiting)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn show(
    service: &Service,
    visitor: Visitor,
    conflict: &ConflictRow,
    choices: &Choices,
    decided: &[Choice],
    ready: Option<&PreviewReady>,
) -> Result<HttpResponse, Refused> {
    let (entity, within) = (conflict.entity.clone(), Within::Record(conflict.record));
    let rows = service.ask(ListInbox { entity, within, after: 0, limit: 1_000 }).await?.items;
    let mut hidden = choices.hidden();
    hidden.extend(ready.map(|ready| ("shown".to_owned(), ready.preview.shown.to_string())));
    let title = format!("{} {}: what it comes to", conflict.entity, conflict.record.0);
    let template = PreviewPage {
        frame: Frame::new(visitor, Tab::Conflicts, title.clone()),
        id: conflict.id,
        title,
        chosen: chosen(&rows, decided),
        hidden,
        comes: ready.map(Comes::of),
    };
    match ready {
        Some(_) => page(&template),
        None => page_as(StatusCode::ACCEPTED, &template),
    }
}
