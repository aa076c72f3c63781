//! What a person's order has not come to yet: an order that is stored and waits, and copies that do not hold what was decided.

use askama::Template;
use askama::filters::HtmlSafe;

use super::page::encoded;
use super::parts::Trouble;
use crate::actor::store::requests::browse::{BrowseWork, WorkFilter};
use crate::actor::store::requests::queue::{Order, WorkItemId};
use crate::actor::store::requests::view::{FindWorkItem, ShowRecord, WorkItemRow, WorkState};
use crate::api::Service;
use crate::api::problem::Refused;
use crate::domain::key::InternalKey;
use crate::domain::name::EntityName;
use crate::domain::record::{Known, LinkState};

/// So many items are looked through for those of the record: those that stand on the page to which a link leads.
const LOOKED_THROUGH: i64 = 50;

/// What is still owed of a record.
#[derive(Template)]
#[template(path = "parts/owed.html", config = "src/api/pages/askama.toml")]
pub(super) struct Owed {
    copies: Vec<OwedCopy>,
    items: Vec<OwedItem>,
}

impl HtmlSafe for Owed {}

/// A copy that does not hold what is agreed.
struct OwedCopy {
    source: String,
    path: String,
    why: Option<String>,
}

/// The work that goes on with it.
struct OwedItem {
    id: i64,
    path: String,
    is_parked: bool,
    why: Option<String>,
}

impl Owed {
    /// Finds what is owed of a record; `None` if all of it is in step, as far as it is decided.
    pub(super) async fn find(
        service: &Service,
        entity: &EntityName,
        record: InternalKey,
    ) -> Result<Option<Self>, Refused> {
        let Some(view) = service.ask(ShowRecord { entity: entity.clone(), record }).await? else { return Ok(None) };
        let copies = owed_copies(entity, &view.known);
        if copies.is_empty() {
            return Ok(None);
        }
        let mut items = Vec::new();
        for (state, word) in [(WorkState::Parked, "parked"), (WorkState::Waiting, "waiting")] {
            let filter = WorkFilter { entity: Some(entity.clone()), source: None, reason: None };
            let listed = service.ask(BrowseWork { state, filter, after: 0, limit: LOOKED_THROUGH }).await?.items;
            let of_record = listed.into_iter().filter(|item| item.record == Some(record));
            items.extend(of_record.map(|item| OwedItem {
                id: item.id.0,
                path: format!("/work?state={word}&entity={}#item-{}", encoded(entity.as_str()), item.id.0),
                is_parked: state == WorkState::Parked,
                why: item.last_error,
            }));
        }
        Ok(Some(Self { copies, items }))
    }
}

/// Gives the copies that do not hold what is agreed. One that contends is left as it is on purpose.
fn owed_copies(entity: &EntityName, known: &Known) -> Vec<OwedCopy> {
    let contends = |name| {
        let mut contenders = known.conflicts.iter().flat_map(|open| &open.conflict.contenders);
        contenders.any(|contender| contender.sources.contains(name))
    };
    let owed = known.links.iter().filter(|(name, link)| match link.state {
        LinkState::Linked => !link.in_step && (link.last_error.is_some() || !contends(name)),
        LinkState::Unlinked => link.last_error.is_some(),
        LinkState::Detached => false,
    });
    let copy = |(name, link): (&crate::domain::name::SourceName, &crate::domain::record::Link)| OwedCopy {
        source: name.to_string(),
        path: format!("/sources/{}/{}", encoded(entity.as_str()), encoded(name.as_str())),
        why: link.last_error.clone(),
    };
    owed.map(copy).collect()
}

/// Finds the order that an address names, if it is one about this record, whatever stands there.
pub(super) async fn order(
    service: &Service,
    item: Option<&str>,
    (entity, record): (&EntityName, InternalKey),
) -> Result<Option<WorkItemRow>, Refused> {
    let Some(item) = item else { return Ok(None) };
    let is_about = |row: &WorkItemRow| row.entity == *entity && row.record == Some(record);
    Ok(stored(service, item).await?.filter(|row| row.order.is_some() && is_about(row)))
}

/// Finds the word on a doubt that an address names, whatever stands there.
pub(super) async fn settlement(service: &Service, item: &str) -> Result<Option<WorkItemRow>, Refused> {
    Ok(stored(service, item).await?.filter(|row| matches!(row.order, Some(Order::Settle { .. }))))
}

async fn stored(service: &Service, item: &str) -> Result<Option<WorkItemRow>, Refused> {
    match item.parse::<i64>() {
        Ok(id) if id > 0 => service.ask(FindWorkItem { id: WorkItemId(id) }).await,
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Says how an order stands that was stored.
pub(super) fn standing(row: &WorkItemRow) -> Trouble {
    match row.state {
        WorkState::Ready | WorkState::Running | WorkState::Waiting => not_yet(row.id, row.last_error.as_deref()),
        WorkState::Parked => {
            let why = row.last_error.as_deref().unwrap_or("nobody knows why");
            let detail = format!("It failed too often, and waits for you as work item {}: {why}.", row.id.0);
            Trouble::new("What you ordered is not carried out", detail)
                .with_hint("Under Work it is tried again, or dropped.")
        }
        WorkState::Done => {
            let outcome = row.outcome.as_deref().unwrap_or("done");
            Trouble::new("What you ordered is over", format!("Work item {} ended so: {outcome}.", row.id.0))
        }
    }
}

/// Says that an order is stored and not carried out yet.
pub(super) fn not_yet(item: WorkItemId, error: Option<&str>) -> Trouble {
    let why = error.map(|error| format!(" What kept it so far: {error}.")).unwrap_or_default();
    let detail =
        format!("It is stored as work item {}, and is carried out as soon as the systems can be asked.{why}", item.0);
    Trouble::new("What you ordered is not carried out yet", detail)
        .with_hint("Nothing is lost if you leave this page. Load it again in a while; if the values move meanwhile, nothing is applied.")
}
