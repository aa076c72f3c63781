//! The page of a conflict that is over: what became of it, and the way back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::show::told_changes;
use crate::actor::store::requests::inbox::{ListInbox, Within};
use crate::actor::store::requests::view::{ConflictRow, ListHistory};
use crate::api::Service;
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::owed::Owed;
use crate::api::pages::page::{encoded, page_as};
use crate::api::pages::parts::{Cell, Trouble, When};
use crate::api::pages::words;
use crate::api::problem::Refused;
use crate::domain::history::Version;
use crate::domain::json::Json;

/// How many versions are looked through for the one that closed it.
const LOOKED_THROUGH: i64 = 200;

#[derive(Template)]
#[template(path = "closed.html", config = "src/api/pages/askama.toml")]
struct ClosedPage {
    frame: Frame,
    entity: String,
    record: i64,
    record_path: String,
    place: String,
    trouble: Option<Trouble>,
    ended: Option<Ended>,
    owed: Option<Owed>,
    /// Another conflict of the record that is open, and how many are.
    others: Option<(i64, String)>,
}

struct Ended {
    version: i64,
    who: String,
    at: When,
    changes: Vec<(String, Cell, Cell)>,
    overruled: Vec<(String, String, Cell)>,
    undo: String,
}

/// What is said of it besides what is on record.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) status: StatusCode,
    pub(super) trouble: Option<Trouble>,
    /// The version that is said to have decided it.
    pub(super) version: Option<i64>,
    /// Whether an order is stored that was to decide it.
    pub(super) is_ordered: bool,
}

impl Ending {
    /// That of somebody's form who thought the conflict was still open.
    pub(super) fn late() -> Self {
        let detail = "This conflict was over before your form came: nothing of what you chose was applied by it. \
                      What became of the conflict is told below.";
        let trouble = Some(Trouble::new("It was decided meanwhile", detail));
        Self { status: StatusCode::CONFLICT, trouble, ..Self::default() }
    }
}

/// Shows it.
pub(super) async fn show(
    service: &Service,
    visitor: Visitor,
    conflict: ConflictRow,
    ending: Ending,
) -> Result<HttpResponse, Refused> {
    let (entity, record) = (conflict.entity.clone(), conflict.record);
    let asked = find(service, &conflict, ending.version).await?;
    // Only of what is on record it is said that it was just done, whatever stands in the address.
    let is_applied = ending.version.is_some() && asked.is_some();
    let decided = match asked {
        Some(decided) => Some(decided),
        None if ending.version.is_some() => find(service, &conflict, None).await?,
        None => None,
    };
    let owed = if decided.is_some() { Owed::find(service, &entity, record).await? } else { None };
    let list = ListInbox { entity: entity.clone(), within: Within::Record(record), after: 0, limit: 100 };
    let open = service.ask(list).await?.items;
    let number = i64::try_from(open.len()).unwrap_or(i64::MAX);
    let others = open.first().map(|row| {
        (
            row.row.id,
            words::count(
                number,
                "field of this record is still contested",
                "fields of this record are still contested",
            ),
        )
    });
    let notice = match visitor.done() {
        Some("applied") if is_applied => Some("Applied: it is decided and recorded."),
        Some("pending") if ending.is_ordered => {
            Some("Your decision was carried out meanwhile, or the systems came to agree.")
        }
        Some(_) | None => None,
    };
    let record_path = format!("/records/{}/{}", encoded(entity.as_str()), record.0);
    let ended = decided.map(|version| Ended {
        version: version.version,
        who: words::who(&version),
        at: When::of(&version.at),
        changes: told_changes(&version),
        overruled: version
            .overruled
            .iter()
            .map(|lost| (lost.source.to_string(), words::place(&lost.path), Cell::of_field(lost.value.as_ref())))
            .collect(),
        undo: format!("{record_path}/undo?version={}", version.version),
    });
    let template = ClosedPage {
        frame: Frame::new(visitor, Tab::Conflicts, format!("Decided: {entity} {}", record.0)).with_notice(notice),
        entity: entity.to_string(),
        record: record.0,
        place: words::place(&conflict.conflict.path),
        record_path,
        trouble: ending.trouble,
        ended,
        owed,
        others,
    };
    page_as(ending.status, &template)
}

/// Finds the version by which a person decided the conflict, among the latest ones.
async fn find(service: &Service, conflict: &ConflictRow, version: Option<i64>) -> Result<Option<Version>, Refused> {
    let (entity, record) = (conflict.entity.clone(), conflict.record);
    let decides = |known: &Version| {
        let number = Json::from(conflict.id);
        let all = match known.cause.member("conflicts") {
            Some(Json::Array(all)) => all.contains(&number),
            Some(_) | None => false,
        };
        all || known.cause.member("conflict") == Some(&number)
    };
    let mut after = match version {
        Some(version) => version - 1,
        None => {
            let shown = crate::actor::store::requests::view::ShowRecord { entity: entity.clone(), record };
            let now = service.ask(shown).await?.map_or(0, |view| view.known.record.version);
            (now - LOOKED_THROUGH).max(0)
        }
    };
    let limit = if version.is_some() { 1 } else { LOOKED_THROUGH };
    after = after.max(0);
    let versions = service.ask(ListHistory { entity, record, after, limit }).await?.items;
    Ok(versions.into_iter().rev().find(|known| decides(known)))
}
