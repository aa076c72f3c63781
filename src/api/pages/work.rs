//! `/work`: the durable queue by state, with the reason of each item, and a person's word on one of them.

mod bulk;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::form::{Fields, Form};
use super::frame::{Frame, Tab, Visitor};
use super::page::{done, encoded, page};
use super::parts::{Empty, Grouped, Pager, When, grouped};
use super::place::Place;
use crate::actor::store::requests::browse::{BrowseWork, Handling, WorkFilter};
use crate::actor::store::requests::queue::WorkItemId;
use crate::actor::store::requests::view::{CountAll, Counts, Handled, WorkItemRow, WorkState};
use crate::actor::supervisor::{DropItem, RetryItem};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::routes::repeat::Repeat;
use crate::api::wire;
use crate::domain::name::{EntityName, SourceName};

/// So many items stand on a page.
const ON_PAGE: i64 = 50;

/// Work items in one state.
#[derive(Template)]
#[template(path = "work.html", config = "src/api/pages/askama.toml")]
struct WorkPage {
    frame: Frame,
    state: &'static str,
    meaning: &'static str,
    tabs: Vec<StateTab>,
    filter: FilterTexts,
    rows: Vec<ItemRow>,
    nothing: Empty<'static>,
    pager: Pager,
    /// Where all parked items like these are handled at once.
    bulk: Option<String>,
}

struct StateTab {
    word: &'static str,
    path: String,
    count: String,
    is_here: bool,
}

/// A filter, as it stands in fields and links.
#[derive(Debug, Clone, Default)]
struct FilterTexts {
    entity: String,
    source: String,
    reason: String,
}

impl FilterTexts {
    fn of(filter: &WorkFilter) -> Self {
        Self {
            entity: filter.entity.as_ref().map(ToString::to_string).unwrap_or_default(),
            source: filter.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            reason: filter.reason.clone().unwrap_or_default(),
        }
    }

    fn pairs(&self) -> [(&'static str, &str); 3] {
        [("entity", &self.entity), ("source", &self.source), ("reason", &self.reason)]
    }

    /// Adds them to a path.
    fn link(&self, path: &str, first: Option<(&str, &str)>) -> String {
        let pairs = first.into_iter().chain(self.pairs()).filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

/// A work item.
struct ItemRow {
    id: i64,
    entity: String,
    /// The copy that it is about, with where its key leads.
    copy: Option<(String, String, String)>,
    record: Option<(i64, String)>,
    order: Option<&'static str>,
    why: Option<String>,
    attempts: i64,
    due: Option<When>,
    blocked_by: Vec<(String, String)>,
    may_be_handled: bool,
}

impl ItemRow {
    fn of(row: WorkItemRow) -> Self {
        let entity = &row.entity;
        let copy = row.copy.as_ref().map(|(source, key)| {
            (source.to_string(), key.to_string(), format!("/records/{entity}?key={}", encoded(key.as_str())))
        });
        let blocked_by = row.blocked_by.iter().map(|name| (name.to_string(), format!("/sources/{entity}/{name}")));
        let is_due = matches!(row.state, WorkState::Ready | WorkState::Waiting);
        Self {
            id: row.id.0,
            entity: entity.to_string(),
            copy,
            record: row.record.map(|record| (record.0, format!("/records/{entity}/{record}"))),
            order: row.order.as_ref().map(|_| "a person's order"),
            why: row.last_error,
            attempts: row.attempts,
            due: row.due_at.filter(|_| is_due).map(|at| When::of(&at)),
            blocked_by: blocked_by.collect(),
            may_be_handled: row.state != WorkState::Running,
        }
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![
        Place::at("/work").show(list),
        Place::at("/work/parked").show(bulk::show),
        Place::at("/work/parked/retry").act(bulk::FIELDS, bulk::retry),
        Place::at("/work/parked/drop").act(bulk::FIELDS, bulk::drop_all),
        Place::at("/work/{id}/retry").act(FIELDS, retry),
        Place::at("/work/{id}/drop").act(FIELDS, drop_item),
    ]
}

/// What the form of an item has: the list from which it was chosen.
const FIELDS: Fields = &["state", "entity", "source", "reason"];

/// The states in which there is something to be done, the most urgent first, with what each means.
const STATES: [(WorkState, &str, &str); 4] = [
    (
        WorkState::Parked,
        "parked",
        "retcon has stopped trying these: a person decides whether they are tried again or dropped.",
    ),
    (
        WorkState::Waiting,
        "waiting",
        "These are tried again by themselves: at the time that stands there, or when the source is back.",
    ),
    (WorkState::Ready, "ready", "These are looked at next."),
    (WorkState::Running, "running", "These are being looked at."),
];

async fn list(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["state", "entity", "source", "reason", "after", "done"])?;
    let asked = query.get("state").unwrap_or("parked");
    let (state, word, meaning) = STATES.into_iter().find(|(_, word, _)| *word == asked).ok_or_else(|| {
        input::malformed(format_args!("state is parked, waiting, ready or running, and not {asked:?}"))
    })?;
    let filter = read_filter(&service, |name| query.get(name))?;
    let (texts, after) = (FilterTexts::of(&filter), query.window()?.after);
    let counts = service.ask(CountAll).await?;
    let listed = service.ask(BrowseWork { state, filter: filter.clone(), after, limit: ON_PAGE }).await?;
    let tab = |(each, word, _)| StateTab {
        word,
        path: texts.link("/work", Some(("state", word))),
        count: grouped(count(&counts, filter.entity.as_ref(), each)),
        is_here: each == state,
    };
    let filters: Vec<(&str, &str)> = std::iter::once(("state", word)).chain(texts.pairs()).collect();
    let has_parked = state == WorkState::Parked && !listed.items.is_empty();
    let may_act = visitor.may_act();
    let notice = visitor.done().and_then(notice);
    page(&WorkPage {
        frame: Frame::new(visitor, Tab::Work, format!("Work: {word}")).with_notice(notice),
        state: word,
        meaning,
        tabs: STATES.into_iter().map(tab).collect(),
        pager: Pager::new("/work", &filters, after, listed.next),
        nothing: nothing(listed.next.is_some(), state),
        bulk: (has_parked && may_act).then(|| texts.link("/work/parked", None)),
        rows: listed.items.into_iter().map(ItemRow::of).collect(),
        filter: texts,
    })
}

fn nothing(goes_on: bool, state: WorkState) -> Empty<'static> {
    match state {
        _ if goes_on => Empty::new(
            "None in this part",
            "The items that were looked through here are others: what follows may have some.",
        ),
        WorkState::Parked => Empty::new("Nothing is parked", "Nothing waits for a person here."),
        WorkState::Waiting => Empty::new("Nothing waits", "No attempt is owed."),
        WorkState::Ready => Empty::new("Nothing is ready", "All that was asked for is being looked at, or done."),
        WorkState::Running => Empty::new("Nothing is running", "No record is being looked at in this moment."),
        WorkState::Done => Empty::new("Nothing is done", "Finished work is not listed here."),
    }
}

fn count(counts: &BTreeMap<EntityName, Counts>, entity: Option<&EntityName>, state: WorkState) -> i64 {
    let wanted = counts.iter().filter(|(name, _)| entity.is_none_or(|entity| entity == *name));
    wanted
        .map(|(_, counts)| match state {
            WorkState::Ready => counts.ready,
            WorkState::Running => counts.running,
            WorkState::Waiting => counts.waiting,
            WorkState::Parked => counts.parked,
            WorkState::Done => 0,
        })
        .sum()
}

/// Says what was done, in the words of `done=`: `retried`, or `dropped-12` for many.
fn notice(word: &str) -> Option<String> {
    let (word, number) = match word.split_once('-') {
        Some((word, number)) => (word, Some(number.parse::<u32>().map(i64::from).ok()?)),
        None => (word, None),
    };
    let items = match number {
        None | Some(1) => "The item was".to_owned(),
        Some(0) => return Some("Nothing was left to be done: the items are not parked any more.".to_owned()),
        Some(number) => format!("{} items were", grouped(number)),
    };
    match word {
        "retried" => Some(format!("{items} made ready, with fresh attempts.")),
        "dropped" => Some(format!("{items} dropped.")),
        _ => None,
    }
}

fn read_filter<'q>(service: &Service, text: impl Fn(&str) -> Option<&'q str>) -> Result<WorkFilter, Refused> {
    let text = |name| text(name).map(str::trim).filter(|text| !text.is_empty());
    let entity = text("entity").map(input::entity).transpose()?;
    let configured = entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let source = text("source").map(|name| {
        let unknown = || Refused::new(Code::UnknownSource, format_args!("no source is named {name:?}"));
        let source: SourceName = name.parse().map_err(|_| unknown())?;
        match &configured {
            Some(entity) => service.source(entity, &source)?,
            None if service.has_source(&source) => {}
            None => return Err(unknown()),
        }
        Ok(source)
    });
    Ok(WorkFilter { entity, source: source.transpose()?, reason: text("reason").map(str::to_owned) })
}

async fn retry(
    service: web::Data<Service>,
    id: web::Path<String>,
    repeat: Repeat,
    form: Form,
) -> Result<HttpResponse, Refused> {
    handle(&service, &id, repeat, &form, Handling::Retry).await
}

async fn drop_item(
    service: web::Data<Service>,
    id: web::Path<String>,
    repeat: Repeat,
    form: Form,
) -> Result<HttpResponse, Refused> {
    handle(&service, &id, repeat, &form, Handling::Drop).await
}

/// Has one item handled, and leads back to the list from which it was chosen.
async fn handle(
    service: &Service,
    id: &str,
    repeat: Repeat,
    form: &Form,
    handling: Handling,
) -> Result<HttpResponse, Refused> {
    let item = WorkItemId(input::id(id, "a work item")?);
    if !repeat.is_done() {
        let attempt = repeat.attempt;
        let outcome = match handling {
            Handling::Retry => service.order(RetryItem { item, attempt }).await?,
            Handling::Drop => service.order(DropItem { item, attempt }).await?,
        };
        handled(item, outcome)?;
    }
    done(&back(form), past(handling))
}

/// The word of what was done, as the page has it to which it leads.
fn past(handling: Handling) -> &'static str {
    match handling {
        Handling::Retry => "retried",
        Handling::Drop => "dropped",
    }
}

fn handled(item: WorkItemId, handled: Handled) -> Result<(), Refused> {
    match handled {
        Handled::Done(_) => Ok(()),
        Handled::NotFound => Err(Refused::new(Code::UnknownWorkItem, format_args!("there is no work item {}", item.0))),
        Handled::NotNow(state) => {
            let state = wire::work::WorkState::from(state);
            Err(Refused::new(Code::WrongState, format_args!("the work item {} is {state} by now", item.0)))
        }
    }
}

/// Where somebody goes on who has spoken of an item: to the list from which it was chosen.
fn back(form: &Form) -> String {
    let texts = FilterTexts {
        entity: form.text("entity").unwrap_or_default().to_owned(),
        source: form.text("source").unwrap_or_default().to_owned(),
        reason: form.text("reason").unwrap_or_default().to_owned(),
    };
    let state = form.text("state").filter(|word| STATES.iter().any(|(_, known, _)| known == word)).unwrap_or("parked");
    texts.link("/work", Some(("state", state)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_and_what_was_not_is_not() {
        assert_eq!(notice("retried").as_deref(), Some("The item was made ready, with fresh attempts."));
        assert_eq!(notice("dropped-12").as_deref(), Some("12 items were dropped."));
        assert_eq!(notice("dropped-1").as_deref(), Some("The item was dropped."));
        assert!(notice("dropped-0").is_some_and(|text| text.starts_with("Nothing")));
        for other in ["", "dropped-many", "<b>", "paid-7"] {
            assert_eq!(notice(other), None, "{other}");
        }
    }

    #[test]
    fn filters_stand_encoded_in_links() {
        let texts = FilterTexts { entity: "customer".to_owned(), source: String::new(), reason: "a b&c".to_owned() };
        assert_eq!(
            texts.link("/work", Some(("state", "parked"))),
            "/work?state=parked&entity=customer&reason=a%20b%26c"
        );
        assert_eq!(FilterTexts::default().link("/work", None), "/work");
    }
}
