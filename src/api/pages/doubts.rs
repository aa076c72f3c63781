//! `/doubts`: writes of which nobody knows whether they took effect, and a person's word on each.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::owed;
use super::page::{done, page_as};
use super::parts::{Badge, Cell, Empty, Grouped, Pager, Tone, Trouble, When};
use super::place::Place;
use crate::actor::store::requests::view::{DoubtRow, FindDoubt, ListDoubts};
use crate::actor::supervisor::{Ordered, Settle};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::routes::orders;
use crate::api::routes::repeat::Repeat;
use crate::domain::json::Json;
use crate::domain::record::{DoubtId, OperationKind, Output, Settlement};

/// So many doubts stand on a page.
const ON_PAGE: i64 = 20;

/// What is in doubt.
#[derive(Template)]
#[template(path = "doubts.html", config = "src/api/pages/askama.toml")]
struct DoubtsPage {
    frame: Frame,
    entity: String,
    /// What keeps a word that was given from being acted on.
    trouble: Option<Trouble>,
    doubts: Vec<DoubtCard>,
    nothing: Empty<'static>,
    pager: Pager,
}

/// One doubt.
struct DoubtCard {
    id: i64,
    record_path: String,
    record: String,
    source: String,
    source_path: String,
    kind: OperationKind,
    key: Option<String>,
    /// What was sent; a member a line, if it is an object.
    sent: Vec<(String, Cell)>,
    since: When,
    attempts: i64,
    last_end: Option<String>,
    output: Option<Output>,
    waiting: Vec<String>,
    /// What somebody typed who was refused, and why.
    typed: String,
    trouble: Option<Trouble>,
}

impl DoubtCard {
    fn badge(&self) -> Badge<'static> {
        Badge::new("in doubt", Tone::Open)
    }

    fn title(&self) -> String {
        match self.kind {
            OperationKind::Create => format!("Was a copy of {} made in {}?", self.record, self.source),
            OperationKind::Update => format!("Was the copy of {} in {} updated?", self.record, self.source),
            OperationKind::Delete => format!("Was the copy of {} in {} deleted?", self.record, self.source),
        }
    }

    /// What a person does to find out.
    fn advice(&self) -> &'static str {
        match self.kind {
            OperationKind::Create => {
                "Look for it in that system, by what was sent. If it is there, say under which key; if it is not, say so, and retcon makes it anew."
            }
            OperationKind::Update | OperationKind::Delete => {
                "Look for the item in that system. If it is there, say under which key; if it is gone, say so."
            }
        }
    }

    fn absent(&self) -> &'static str {
        match self.kind {
            OperationKind::Create => "No copy was made",
            OperationKind::Update | OperationKind::Delete => "The copy is gone",
        }
    }

    fn of(row: DoubtRow) -> Self {
        let sent = match row.document {
            None => Vec::new(),
            Some(Json::Object(members)) => {
                members.iter().map(|(name, value)| (name.to_string_lossy().into_owned(), Cell::of(value))).collect()
            }
            Some(other) => vec![("the whole record".to_owned(), Cell::of(&other))],
        };
        Self {
            id: row.id.0,
            record_path: format!("/records/{}/{}", row.entity, row.record),
            record: format!("{} {}", row.entity, row.record),
            source_path: format!("/sources/{}/{}", row.entity, row.source),
            source: row.source.to_string(),
            kind: row.kind,
            key: row.key.as_ref().map(ToString::to_string),
            sent,
            since: When::of(&row.since),
            attempts: row.attempts,
            last_end: row.last_end,
            output: row.output,
            waiting: row.waiting.iter().map(ToString::to_string).collect(),
            typed: String::new(),
            trouble: None,
        }
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/doubts").show(list), Place::at("/doubts/{id}/settle").act(&["word", "key"], settle)]
}

async fn list(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "after", "item", "done"])?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let after = query.window()?.after;
    let listed = service.ask(ListDoubts { entity: entity.clone(), after, limit: ON_PAGE }).await?;
    let entity = entity.map(|name| name.to_string()).unwrap_or_default();
    let pager = Pager::new("/doubts", &[("entity", &entity)], after, listed.next);
    let doubts = listed.items.into_iter().map(DoubtCard::of).collect();
    let trouble = match query.get("item").filter(|_| visitor.done() == Some("pending")) {
        Some(item) => owed::settlement(&service, item).await?.as_ref().map(owed::standing),
        None => None,
    };
    show(StatusCode::OK, visitor, (entity, doubts), pager, trouble)
}

fn show(
    status: StatusCode,
    visitor: Visitor,
    (entity, doubts): (String, Vec<DoubtCard>),
    pager: Pager,
    trouble: Option<Trouble>,
) -> Result<HttpResponse, Refused> {
    let notice = match visitor.done() {
        Some("settled") => Some("Settled. What was waiting for it goes on."),
        Some(_) | None => None,
    };
    let nothing = Empty::new("Nothing is in doubt", "Of every write it is known whether it took effect.");
    let frame = Frame::new(visitor, Tab::Doubts, "In doubt").with_notice(notice);
    page_as(status, &DoubtsPage { frame, entity, trouble, doubts, nothing, pager })
}

async fn settle(
    service: web::Data<Service>,
    visitor: Visitor,
    id: web::Path<String>,
    repeat: Repeat,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let id = input::id(&id, "a doubt")?;
    match try_settle(&service, id, repeat, &form).await {
        Ok(Ordered::Pending(item)) => done(&format!("/doubts?item={}", item.0), "pending"),
        Ok(Ordered::Failed { item, error }) => {
            let trouble = owed::not_yet(item, Some(&error));
            match again(&service, visitor, id, &form, (StatusCode::ACCEPTED, trouble)).await? {
                Some(page) => Ok(page),
                None => done(&format!("/doubts?item={}", item.0), "pending"),
            }
        }
        Ok(ordered) => match orders::answer(ordered, || unknown(id)) {
            Ok(_) => done("/doubts", "settled"),
            Err(refused) => back(&service, visitor, id, &form, refused).await,
        },
        Err(refused) => back(&service, visitor, id, &form, refused).await,
    }
}

async fn try_settle(service: &Service, id: i64, repeat: Repeat, form: &Form) -> Result<Ordered, Refused> {
    let settlement = match form.text("word") {
        Some("absent") => Settlement::Absent,
        // Blanks belong to keys.
        Some("key") => Settlement::Key(input::key(form.raw("key").unwrap_or_default())?),
        Some(_) | None => {
            return Err(input::malformed("the form says neither that there is a copy nor that there is none"));
        }
    };
    orders::carry_out(service, repeat, |attempt| Settle { doubt: DoubtId(id), settlement, attempt }).await
}

/// Shows the doubt once more to whoever was refused, with what was typed, and why.
async fn back(
    service: &Service,
    visitor: Visitor,
    id: i64,
    form: &Form,
    refused: Refused,
) -> Result<HttpResponse, Refused> {
    let status = StatusCode::from_u16(refused.end().status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let trouble = Trouble::of_refused(&refused);
    again(service, visitor, id, form, (status, trouble)).await?.ok_or(refused)
}

/// Shows the doubt once more, with what was typed, and what is wrong; `None` if it is settled by now.
async fn again(
    service: &Service,
    visitor: Visitor,
    id: i64,
    form: &Form,
    (status, trouble): (StatusCode, Trouble),
) -> Result<Option<HttpResponse>, Refused> {
    let Some(row) = service.ask(FindDoubt { id: DoubtId(id) }).await?.filter(|row| !row.settled) else {
        return Ok(None);
    };
    let mut card = DoubtCard::of(row);
    card.typed = form.raw("key").unwrap_or_default().to_owned();
    card.trouble = Some(trouble);
    show(status, visitor, (String::new(), vec![card]), Pager::new("/doubts", &[], 1, None), None).map(Some)
}

fn unknown(id: i64) -> Refused {
    Refused::new(Code::UnknownDoubt, format_args!("there is no doubt {id}"))
}
