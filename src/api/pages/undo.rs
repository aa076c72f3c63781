//! `/records/{entity}/{id}/undo`: what it comes to if a version is taken back, and that just that is done.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::comes::Comes;
use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::owed::{self, Owed};
use super::page::{done, encoded, page_as};
use super::parts::Trouble;
use super::place::Place;
use super::words;
use crate::actor::store::requests::queue::Deed;
use crate::actor::store::requests::view::{ListHistory, ShowRecord};
use crate::actor::supervisor::{Apply, GetPreview, Ordered, Previewed};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::routes::{orders, repeat::Repeat};
use crate::domain::json::Json;
use crate::domain::key::InternalKey;
use crate::domain::name::EntityName;
use crate::domain::plan::{Fate, Moved, Shown};

/// How many versions are looked through for the one that took another back.
const LOOKED_THROUGH: i64 = 200;

#[derive(Template)]
#[template(path = "undo.html", config = "src/api/pages/askama.toml")]
struct UndoPage {
    frame: Frame,
    path: String,
    record_path: String,
    entity: String,
    record: i64,
    version: i64,
    trouble: Option<Trouble>,
    /// The places that a later version changed again.
    blocked: Vec<String>,
    shown: Option<String>,
    comes: Option<Comes>,
    is_reading: bool,
    owed: Option<Owed>,
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/records/{entity}/{id}/undo").show(show).act(&["version", "shown"], undo)]
}

/// What is to be taken back.
struct Wanted {
    entity: EntityName,
    record: InternalKey,
    version: i64,
}

/// What there is to say of it.
struct Said {
    status: StatusCode,
    trouble: Option<Trouble>,
    blocked: Vec<String>,
}

impl Wanted {
    fn read((entity, id): &(String, String), version: &str) -> Result<Self, Refused> {
        let record = InternalKey(input::id(id, "a record")?);
        Ok(Self { entity: input::entity(entity)?, record, version: input::id(version, "a version")? })
    }
}

async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    if !visitor.may_act() {
        return Err(Refused::new(Code::Forbidden, "to undo takes a token with the role operate"));
    }
    let query = Query::parse(request.query_string(), &["version", "item", "done"])?;
    let version = query.get("version").ok_or_else(|| input::malformed("the address does not say which version"))?;
    let wanted = Wanted::read(&path, version)?;
    if matches!(visitor.done(), Some("undone" | "pending")) {
        if let Some(version) = undone(&service, &wanted).await? {
            return shown(&service, visitor, &wanted, version).await;
        }
        let item = query.get("item").filter(|_| visitor.done() == Some("pending"));
        if let Some(row) = owed::order(&service, item, (&wanted.entity, wanted.record)).await? {
            let trouble = Some(owed::standing(&row));
            return page_as(StatusCode::OK, &template(visitor, &wanted, trouble, Vec::new()));
        }
    }
    look(&service, visitor, &wanted, Said { status: StatusCode::OK, trouble: None, blocked: Vec::new() }).await
}

async fn undo(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: Form,
    repeat: Repeat,
) -> Result<HttpResponse, Refused> {
    let wanted = Wanted::read(&path, form.required("version")?)?;
    let shown: Shown = form
        .required("shown")?
        .parse()
        .map_err(|_| input::malformed("the form does not say what was shown: load its page anew"))?;
    let (entity, record, deed) = (wanted.entity.clone(), wanted.record, Deed::Undo { version: wanted.version });
    let ordered = orders::carry_out(&service, repeat, |attempt| Apply { entity, record, deed, shown, attempt }).await?;
    let here = format!("{}/undo?version={}", record_path(&wanted), wanted.version);
    match ordered {
        Ordered::Applied { .. } => done(&here, "undone"),
        Ordered::Pending(item) => done(&format!("{here}&item={}", item.0), "pending"),
        Ordered::Failed { item, error } => {
            let trouble = Some(owed::not_yet(item, Some(&error)));
            page_as(StatusCode::ACCEPTED, &template(visitor, &wanted, trouble, Vec::new()))
        }
        Ordered::Moved(moved) => {
            let trouble = Some(Trouble::new("The values moved meanwhile", told(&moved)));
            look(&service, visitor, &wanted, Said { status: StatusCode::CONFLICT, trouble, blocked: Vec::new() }).await
        }
        other => refused(visitor, &wanted, other),
    }
}

/// Finds the latest version that took this one back, among the latest ones.
async fn undone(service: &Service, wanted: &Wanted) -> Result<Option<i64>, Refused> {
    let (entity, record) = (wanted.entity.clone(), wanted.record);
    let view = service.ask(ShowRecord { entity: entity.clone(), record }).await?;
    let after = view.map_or(0, |view| (view.known.record.version - LOOKED_THROUGH).max(0));
    let latest = service.ask(ListHistory { entity, record, after, limit: LOOKED_THROUGH }).await?.items;
    let (kind, version) = (Json::from("undo"), Json::from(wanted.version));
    let is_undo = |cause: &Json| cause.member("kind") == Some(&kind) && cause.member("version") == Some(&version);
    Ok(latest.iter().rev().find(|later| is_undo(&later.cause)).map(|later| later.version))
}

/// Says that it is undone, and what of that is still owed.
async fn shown(service: &Service, visitor: Visitor, wanted: &Wanted, version: i64) -> Result<HttpResponse, Refused> {
    let owed = Owed::find(service, &wanted.entity, wanted.record).await?;
    let undone = template(visitor, wanted, None, Vec::new());
    let frame = undone.frame.with_notice(Some(format!("It is undone, as version {version}.")));
    page_as(StatusCode::OK, &UndoPage { frame, owed, ..undone })
}

fn told(moved: &Moved) -> String {
    let who = if moved.copies.is_empty() { String::new() } else { format!(" by {}", words::names(&moved.copies)) };
    format!(
        "It would have come to something else than you were shown{who}, so nothing was undone. This is what it comes to now."
    )
}

fn record_path(wanted: &Wanted) -> String {
    format!("/records/{}/{}", encoded(wanted.entity.as_str()), wanted.record.0)
}

async fn look(service: &Service, visitor: Visitor, wanted: &Wanted, said: Said) -> Result<HttpResponse, Refused> {
    let deed = Some(Deed::Undo { version: wanted.version });
    let asked = GetPreview { entity: wanted.entity.clone(), record: wanted.record, deed };
    let (mut said, mut is_reading, mut ready) = (said, false, None);
    match service.order(asked).await? {
        Previewed::Ready(found) if found.preview.fate == Fate::Done => ready = Some(found),
        Previewed::Ready(_) | Previewed::Reading => is_reading = true,
        Previewed::Refused(why) => return refused(visitor, wanted, why),
        Previewed::Unserved(why) => {
            let detail = format!("{} cannot be looked at here and now: {why}.", wanted.entity);
            said = Said {
                status: StatusCode::CONFLICT,
                trouble: Some(Trouble::new("There is no preview now", detail)),
                ..said
            };
        }
        Previewed::Failed(why) => {
            let trouble = Some(Trouble::new("There is no preview now", why));
            said = Said { status: StatusCode::SERVICE_UNAVAILABLE, trouble, ..said };
        }
    }
    let template = UndoPage {
        shown: ready.as_ref().map(|ready| ready.preview.shown.to_string()),
        comes: ready.as_ref().map(|ready| Comes::of(ready)),
        is_reading,
        ..template(visitor, wanted, said.trouble, said.blocked)
    };
    page_as(said.status, &template)
}

fn refused(visitor: Visitor, wanted: &Wanted, why: Ordered) -> Result<HttpResponse, Refused> {
    let places = match why {
        Ordered::Blocked(places) => places.iter().map(words::place).collect(),
        other => {
            let unknown = || Refused::new(Code::UnknownVersion, format_args!("there is no version {}", wanted.version));
            return orders::answer(other, unknown);
        }
    };
    let detail = "What this version changed was changed again by a later one. Undo that one first.";
    let trouble = Some(Trouble::new("It cannot be undone by itself", detail));
    page_as(StatusCode::CONFLICT, &template(visitor, wanted, trouble, places))
}

fn template(visitor: Visitor, wanted: &Wanted, trouble: Option<Trouble>, blocked: Vec<String>) -> UndoPage {
    let title = format!("Undo version {} of {} {}", wanted.version, wanted.entity, wanted.record.0);
    let record_path = record_path(wanted);
    UndoPage {
        frame: Frame::new(visitor, Tab::Records, title),
        path: format!("{record_path}/undo"),
        record_path,
        entity: wanted.entity.to_string(),
        record: wanted.record.0,
        version: wanted.version,
        trouble,
        blocked,
        shown: None,
        comes: None,
        is_reading: false,
        owed: None,
    }
}
