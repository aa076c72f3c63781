//! `/deletes`: deletions that are held because more went missing at once than `max_deletes` lets through.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::page::{done, encoded, page};
use super::parts::{Empty, Pager, When, grouped};
use super::place::Place;
use crate::actor::store::requests::repeatable::Effect;
use crate::actor::store::requests::view::{CountDeletes, CountedDeletes, DeleteRow, ListDeletes};
use crate::actor::supervisor::ApproveDeletes;
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;
use crate::api::routes::repeat::Repeat;

/// The word of who has just let deletions through.
const APPROVED: &str = "approved";

/// The deletions that are held.
#[derive(Template)]
#[template(path = "deletes.html", config = "src/api/pages/askama.toml")]
struct DeletesPage {
    frame: Frame,
    /// The entity to which the list is limited.
    entity: Option<String>,
    held: Vec<Held>,
    /// What of the entity would be approved: so many, up to that number.
    counted: Option<CountedDeletes>,
    pager: Pager,
}

/// A deletion that is held.
struct Held {
    entity: String,
    record: i64,
    source: String,
    key: String,
    since: String,
}

impl Held {
    fn when(&self) -> When {
        When::of(&self.since)
    }
}

impl From<DeleteRow> for Held {
    fn from(row: DeleteRow) -> Self {
        let (entity, source, key) = (row.entity.to_string(), row.source.to_string(), row.key.to_string());
        Self { entity, record: row.record.0, source, key, since: row.held_at }
    }
}

impl DeletesPage {
    /// The entities of what is listed, each once.
    fn entities(&self) -> BTreeSet<&str> {
        self.held.iter().map(|held| held.entity.as_str()).collect()
    }

    fn question(&self, counted: &CountedDeletes) -> String {
        match counted.deletes {
            1 => "Is this deletion meant?".to_owned(),
            many => format!("Are these {} deletions meant?", grouped(many)),
        }
    }

    /// Says what a press of the button does.
    fn button(&self, counted: &CountedDeletes) -> String {
        match counted.deletes {
            1 => "Carry out the one deletion".to_owned(),
            many => format!("Carry out all {}", grouped(many)),
        }
    }

    fn nothing(&self) -> Empty<'static> {
        Empty::new(
            "No deletion is held",
            "Where more copies go missing at once than max_deletes says, they are held here.",
        )
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/deletes").show(list), Place::at("/deletes/approve").act(&["entity", "last", "counted"], approve)]
}

async fn list(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "after", "limit", "done"])?;
    let window = query.window()?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    let entity_name = entity.as_ref().map(ToString::to_string);
    // Counted first, so that nothing is counted that is not shown, here or in what follows.
    let counted = match &entity {
        Some(entity) => Some(service.ask(CountDeletes { entity: entity.clone() }).await?),
        None => None,
    };
    // One that is configured no more may have some.
    if let (Some(entity), Some(CountedDeletes { deletes: 0, .. })) = (&entity, &counted) {
        service.entity(entity)?;
    }
    let found = service.ask(ListDeletes { entity, after: window.after, limit: window.limit }).await?;
    let limit = query.get("limit").unwrap_or_default();
    let filters = [("entity", entity_name.as_deref().unwrap_or_default()), ("limit", limit)];
    let pager = Pager::new("/deletes", &filters, window.after, found.next);
    let notice = visitor.done().and_then(|word| notice(word, !found.items.is_empty()));
    let frame = Frame::new(visitor, Tab::None, "Deletions that are held").with_notice(notice);
    let held = found.items.into_iter().map(Held::from).collect();
    let counted = counted.filter(|counted| counted.deletes > 0);
    page(&DeletesPage { frame, entity: entity_name, held, counted, pager })
}

/// Says what was approved, in the words of `done=`: `approved-3`.
fn notice(word: &str, is_more_held: bool) -> Option<String> {
    let (word, number) = word.split_once('-')?;
    let number: u32 = number.parse().ok()?;
    let said = match number {
        _ if word != APPROVED => return None,
        0 => return Some("Nothing was approved: what was counted is not what is held by now.".to_owned()),
        1 => "One deletion is approved: its record is looked at once more, and if the copy is still missing, it is \
              deleted everywhere else."
            .to_owned(),
        many => format!(
            "{} deletions are approved: each record is looked at once more, and what is still missing is deleted \
             everywhere else.",
            grouped(i64::from(many))
        ),
    };
    let rest = if is_more_held { " What is listed here was not among them, and stays held." } else { "" };
    Some(format!("{said}{rest}"))
}

async fn approve(service: web::Data<Service>, repeat: Repeat, form: Form) -> Result<HttpResponse, Refused> {
    let entity = input::entity(form.required("entity")?)?;
    let path = format!("/deletes?entity={}", encoded(entity.as_str()));
    let stale = || input::malformed("the form does not say what was counted: load its page anew");
    let number = |name: &str| form.text(name).and_then(|text| text.parse().ok()).ok_or_else(stale);
    let counted = Some(CountedDeletes { deletes: number("counted")?, last: number("last")? });
    let approved = match repeat.effect {
        Some(Effect::Approved(approved)) => approved,
        Some(Effect::Ordered(_) | Effect::Done) | None => {
            service.order(ApproveDeletes { entity, counted, attempt: repeat.attempt }).await?
        }
    };
    done(&path, &format!("{APPROVED}-{}", approved.deletes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_many_were_approved_and_what_was_not() {
        let said = |word| notice(word, false).unwrap_or_default();
        assert!(said("approved-1").starts_with("One deletion is approved"));
        assert!(said("approved-1200").starts_with("1,200 deletions are approved"));
        assert!(said("approved-0").starts_with("Nothing was approved"));
        assert!(notice("approved-3", true).is_some_and(|text| text.ends_with("stays held.")));
        for other in ["", "approved", "approved-x", "approved--1", "refused-3"] {
            assert_eq!(notice(other, true), None, "{other}");
        }
    }
}
