//! The page of a conflict: every contested field of its record, who says what and why, and a choice for each.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::choices::{Choices, Given, Picked, Seen, seen, write_seen};
use super::closed::{self, Ending};
use crate::actor::store::requests::inbox::{InboxRow, ListInbox, Within};
use crate::actor::store::requests::view::{ConflictRow, FindConflict, ListHistory, RecordView, ShowRecord};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::owed::{self, Owed};
use crate::api::pages::page::{encoded, page, page_as};
use crate::api::pages::parts::{Badge, Cell, Trouble, When};
use crate::api::pages::records::telling_of;
use crate::api::pages::words;
use crate::api::problem::{Code, Refused};
use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::merge::{Contender, Decision};
use crate::domain::pointer::Pointer;

/// How many contested fields stand on the page.
const FIELDS: i64 = 100;

/// How many versions are looked through for who brought what is agreed, and how many are told.
const LOOKED_THROUGH: i64 = 200;
const TOLD: usize = 5;

#[derive(Template)]
#[template(path = "conflict.html", config = "src/api/pages/askama.toml")]
struct ConflictPage {
    frame: Frame,
    id: i64,
    entity: String,
    record: i64,
    record_path: String,
    /// A little of what is agreed, by which people know which record it is.
    telling: Vec<(String, String)>,
    trouble: Option<Trouble>,
    /// The version by which other fields were just decided, and where it is taken back.
    applied: Option<(i64, String)>,
    /// What of that is still owed.
    owed: Option<Owed>,
    /// What is another than it was when the person chose.
    moved: Vec<String>,
    fields: Vec<Field>,
    rest: Vec<(String, Cell)>,
    story: Vec<Told>,
}

/// One contested field.
struct Field {
    id: i64,
    revision: i64,
    place: String,
    kind: &'static str,
    why: String,
    opened: When,
    moved_at: Option<When>,
    options: Vec<Choosable>,
    typed: String,
    is_text: bool,
    is_typed: bool,
    is_absent: bool,
    /// Whether to remove it is an option of its own: nobody else offers that.
    may_be_absent: bool,
    error: Option<String>,
    seen: Option<String>,
}

/// A value that may be chosen.
struct Choosable {
    pick: String,
    title: String,
    note: Option<String>,
    since: Option<When>,
    cell: Cell,
    is_picked: bool,
}

/// A version, as it is told.
struct Told {
    version: i64,
    who: String,
    at: When,
    changes: Vec<(String, Cell, Cell)>,
    more: usize,
}

impl Field {
    fn kind(&self) -> Badge<'_> {
        Badge::of(self.kind)
    }
}

/// What the page says besides what is on record.
#[derive(Default)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) choices: Choices,
    pub(super) trouble: Option<Trouble>,
    /// The version by which other fields of the record were just decided.
    pub(super) applied: Option<i64>,
    pub(super) errors: BTreeMap<i64, String>,
    /// Whether it is to be told what moved since the choices were made.
    pub(super) has_moved: bool,
}

impl Said {
    /// What of it is said where no conflict is open any more. An order that is stored stays one.
    fn of_a_closed_one(self) -> Ending {
        match self.status {
            StatusCode::OK => Ending::default(),
            StatusCode::ACCEPTED => Ending { status: self.status, trouble: self.trouble, ..Ending::default() },
            _ => Ending::late(),
        }
    }
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["done", "version", "item"])?;
    let conflict = find(&service, &id).await?;
    let version = query.get("version").map(|text| input::id(text, "a version")).transpose()?;
    let item = query.get("item").filter(|_| visitor.done() == Some("pending"));
    let ordered = owed::order(&service, item, (&conflict.entity, conflict.record)).await?;
    if conflict.closed {
        let ending = Ending { version, is_ordered: ordered.is_some(), ..Ending::default() };
        return closed::show(&service, visitor, conflict, ending).await;
    }
    let trouble = ordered.as_ref().map(owed::standing);
    let applied = version.filter(|_| visitor.done() == Some("applied"));
    say(&service, visitor, conflict, Said { trouble, applied, ..Said::default() }).await
}

/// Finds a conflict by what stands in a path.
pub(super) async fn find(service: &Service, id: &str) -> Result<ConflictRow, Refused> {
    let id = input::id(id, "a conflict")?;
    let found = service.ask(FindConflict { id }).await?;
    found.ok_or_else(|| Refused::new(Code::UnknownConflict, format_args!("there is no conflict {id}")))
}

/// Shows all open conflicts of the record, with what was chosen of them.
pub(super) async fn say(
    service: &Service,
    visitor: Visitor,
    conflict: ConflictRow,
    said: Said,
) -> Result<HttpResponse, Refused> {
    let (entity, record) = (conflict.entity.clone(), conflict.record);
    let list = ListInbox { entity: entity.clone(), within: Within::Record(record), after: 0, limit: FIELDS };
    let mut rows = service.ask(list).await?.items;
    // The one that was asked for comes first.
    rows.sort_by_key(|row| (row.row.id != conflict.id, row.row.id));
    if rows.is_empty() {
        return closed::show(service, visitor, conflict, said.of_a_closed_one()).await;
    }
    let view = service.ask(ShowRecord { entity: entity.clone(), record }).await?;
    let view = view.ok_or_else(|| Refused::new(Code::UnknownRecord, "there is no such record"))?;
    let after = (view.known.record.version - LOOKED_THROUGH).max(0);
    let history = ListHistory { entity: entity.clone(), record, after, limit: LOOKED_THROUGH };
    let history = service.ask(history).await?.items;
    let moved = if said.has_moved { moved(&said.choices, &rows) } else { Vec::new() };
    // Only what is on record is told, whatever stands in the address.
    let is_decision = |version: &Version| version.cause.member("kind") == Some(&Json::from("resolution"));
    let is_there = |applied: &i64| history.iter().any(|version| version.version == *applied && is_decision(version));
    let applied = said.applied.filter(is_there);
    let owed = if applied.is_some() { Owed::find(service, &entity, record).await? } else { None };
    let title = format!("Conflict: {entity} {}", record.0);
    let record_path = format!("/records/{}/{}", encoded(entity.as_str()), record.0);
    let template = ConflictPage {
        frame: Frame::new(visitor, Tab::Conflicts, title),
        id: conflict.id,
        applied: applied.map(|version| (version, format!("{record_path}/undo?version={version}"))),
        record_path,
        owed,
        entity: entity.to_string(),
        record: record.0,
        telling: view.known.record.agreed.as_ref().map(telling_of).unwrap_or_default(),
        trouble: said.trouble,
        moved,
        rest: rest(&view, &rows),
        story: story(&history),
        fields: rows.iter().map(|row| field(row, &view, &history, &said.choices, &said.errors)).collect(),
    };
    if said.status == StatusCode::OK { page(&template) } else { page_as(said.status, &template) }
}

fn field(
    row: &InboxRow,
    view: &RecordView,
    history: &[Version],
    choices: &Choices,
    errors: &BTreeMap<i64, String>,
) -> Field {
    let conflict = &row.row.conflict;
    let given = choices.of(row.row.id);
    let picked = given.and_then(|given| given.picked.as_ref());
    let mut options: Vec<Choosable> = agreed(row, view, history, picked).into_iter().collect();
    options.extend(conflict.contenders.iter().map(|contender| contends(row, contender, picked)));
    let sides = conflict.contenders.iter().map(|contender| contender.value.as_ref()).chain([conflict.agreed.as_ref()]);
    let is_text_here = sides.flatten().all(|value| matches!(value, Json::String(_)));
    let has_absent = conflict.contenders.iter().any(|contender| contender.value.is_none());
    Field {
        id: row.row.id,
        revision: row.row.revision,
        place: words::place(&conflict.path),
        kind: words::kind(conflict.kind),
        why: words::why(conflict),
        opened: When::of(&row.row.opened_at),
        moved_at: (row.row.revision > 1).then(|| When::of(&row.moved_at)),
        options,
        typed: given.map(|given| given.typed.clone()).unwrap_or_default(),
        is_text: given.filter(|given| given.revision > 0).map_or(is_text_here, |given| given.as_text),
        is_typed: picked == Some(&Picked::Typed),
        is_absent: picked == Some(&Picked::Absent),
        may_be_absent: !has_absent,
        error: errors.get(&row.row.id).cloned(),
        seen: seen(&conflict.contenders).map(|seen| write_seen(&seen)),
    }
}

/// What is agreed, if there is anything that could be kept.
fn agreed(row: &InboxRow, view: &RecordView, history: &[Version], picked: Option<&Picked>) -> Option<Choosable> {
    let conflict = &row.row.conflict;
    if view.known.record.version == 0 {
        return None;
    }
    let version =
        history.iter().rev().find(|version| version.changes.iter().any(|change| change.path.touches(&conflict.path)));
    let contends = |name| conflict.contenders.iter().any(|contender| contender.sources.contains(name));
    let holders: Vec<_> = view
        .known
        .links
        .iter()
        .filter(|(name, link)| link.key.is_some() && !contends(name))
        .map(|(name, _)| name.clone())
        .collect();
    let held = (!holders.is_empty()).then(|| format!("undisputed at {}", words::names(&holders)));
    let from = version.map(|version| format!("{} in version {}", words::who(version), version.version));
    let note = [from, held].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some(Choosable {
        pick: Picked::Keep.to_text(),
        title: "Agreed until now".to_owned(),
        note: (!note.is_empty()).then_some(note),
        since: version.map(|version| When::of(&version.at)),
        cell: words::side(&conflict.path, conflict.agreed.as_ref()),
        is_picked: picked == Some(&Picked::Keep),
    })
}

fn contends(row: &InboxRow, contender: &Contender, picked: Option<&Picked>) -> Choosable {
    let is_picked = match picked {
        Some(Picked::Take(source)) => contender.sources.contains(source),
        Some(Picked::Absent) => contender.value.is_none(),
        Some(Picked::Keep | Picked::Typed) | None => false,
    };
    let first = contender.sources.first().map(|source| Picked::Take(source.clone()).to_text());
    Choosable {
        pick: first.unwrap_or_default(),
        title: words::names(&contender.sources),
        note: None,
        // Of one that has moved it is known only when any of its sides did.
        since: (row.row.revision == 1).then(|| When::of(&row.row.opened_at)),
        cell: words::side(&row.row.conflict.path, contender.value.as_ref()),
        is_picked,
    }
}

/// What of the record nobody contests.
fn rest(view: &RecordView, rows: &[InboxRow]) -> Vec<(String, Cell)> {
    let Some(Json::Object(members)) = &view.known.record.agreed else { return Vec::new() };
    let is_contested = |at: &Pointer| rows.iter().any(|row| row.row.conflict.path == *at);
    let member = |(name, value)| {
        let at = Pointer::root().child(name);
        (!is_contested(&at)).then(|| (words::place(&at), Cell::of(value)))
    };
    members.iter().filter_map(member).collect()
}

/// The latest versions, the newest first.
fn story(history: &[Version]) -> Vec<Told> {
    history.iter().rev().take(TOLD).map(told).collect()
}

pub(super) fn told_changes(version: &Version) -> Vec<(String, Cell, Cell)> {
    const SHOWN: usize = 6;
    version.changes.iter().take(SHOWN).map(words::change).collect()
}

fn told(version: &Version) -> Told {
    let changes = told_changes(version);
    Told {
        version: version.version,
        who: words::who(version),
        at: When::of(&version.at),
        more: version.changes.len() - changes.len(),
        changes,
    }
}

/// Says of each conflict that was shown what is another by now.
fn moved(choices: &Choices, rows: &[InboxRow]) -> Vec<String> {
    let mut told = Vec::new();
    for (conflict, given) in &choices.0 {
        match rows.iter().find(|row| row.row.id == *conflict) {
            None => told.push(
                "One of the fields is not contested any more: the systems have come to agree, or somebody decided it."
                    .to_owned(),
            ),
            Some(row) if row.row.revision != given.revision => told.extend(differs(given, row)),
            Some(_) => {}
        }
    }
    let is_new = |row: &&InboxRow| choices.of(row.row.id).is_none();
    let new = rows.iter().filter(is_new);
    told.extend(new.map(|row| format!("{} is contested now, too.", words::place(&row.row.conflict.path))));
    told
}

fn differs(given: &Given, row: &InboxRow) -> Vec<String> {
    let place = words::place(&row.row.conflict.path);
    let Some(before) = &given.seen else { return vec![format!("{place}: who says what is another by now.")] };
    let now = seen(&row.row.conflict.contenders).unwrap_or_default();
    let value = |sides: &[Seen], name: &String| {
        sides.iter().find(|(names, _)| names.contains(name)).map(|(_, value)| words::glance(value.as_ref()))
    };
    let names: std::collections::BTreeSet<&String> = before.iter().chain(&now).flat_map(|(names, _)| names).collect();
    let change = |name: &String| match (value(before, name), value(&now, name)) {
        (Some(before), Some(now)) if before != now => {
            Some(format!("{place}: {name} says {now} now, and said {before} when you chose."))
        }
        (Some(before), None) => {
            Some(format!("{place}: {name} does not contest it any more; it said {before} when you chose."))
        }
        (None, Some(now)) => Some(format!("{place}: {name} contests it now, too, and says {now}.")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let told: Vec<String> = names.into_iter().filter_map(change).collect();
    if told.is_empty() { vec![format!("{place}: what is agreed is another by now.")] } else { told }
}

/// What was decided of each field, for a page that says what it comes to.
pub(super) fn chosen(
    rows: &[InboxRow],
    choices: &[crate::actor::store::requests::queue::Choice],
) -> Vec<(String, String)> {
    let one = |choice: &crate::actor::store::requests::queue::Choice| {
        let row = rows.iter().find(|row| row.row.id == choice.conflict)?;
        let decision = match &choice.decision {
            Decision::Value(value) => format!("take {}", words::glance(Some(value))),
            other => words::decision(other),
        };
        Some((words::place(&row.row.conflict.path), decision))
    };
    choices.iter().filter_map(one).collect()
}
