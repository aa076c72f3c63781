//! The inbox: open conflicts by entity, those that are alike together, narrowed by what the address says.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::actor::store::requests::browse::{ListSome, Listed};
use crate::actor::store::requests::inbox::{
    CountInbox, EntityCount, Group, InboxRow, Likeness, ListGroups, ListInbox, Within,
};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::{encoded, page};
use crate::api::pages::parts::{Badge, Empty, Pager, When, grouped};
use crate::api::pages::records::telling;
use crate::api::pages::words;
use crate::api::problem::Refused;
use crate::domain::key::InternalKey;
use crate::domain::merge::ConflictKind;
use crate::domain::name::EntityName;
use crate::domain::pointer::Pointer;

/// How many conflicts stand on a page of one entity, and of each where there are several.
const OF_ONE: i64 = 50;
const OF_EACH: i64 = 8;

/// Of how many entities there is more than the number on a page.
const UNFOLDED: usize = 12;

#[derive(Template)]
#[template(path = "conflicts.html", config = "src/api/pages/askama.toml")]
struct InboxPage {
    frame: Frame,
    /// All open ones, in words.
    summary: String,
    sections: Vec<Section>,
    /// Entities of which there is but the number here.
    others: Vec<Other>,
    filters: Option<Filters>,
    pager: Pager,
    nothing: Empty<'static>,
}

struct Section {
    entity: String,
    count: String,
    oldest: When,
    groups: Vec<GroupRow>,
    rows: Vec<Row>,
    /// Where the rest is.
    rest: Option<String>,
}

struct Other {
    entity: String,
    count: String,
}

struct GroupRow {
    place: String,
    kind: &'static str,
    sources: String,
    count: String,
    oldest: When,
    /// Where they are decided, and where they are listed.
    decide: String,
    list: String,
}

struct Row {
    id: i64,
    record: i64,
    /// A little of what is agreed, by which people know which record it is.
    telling: Vec<(String, String)>,
    place: String,
    kind: &'static str,
    contenders: Vec<Contender>,
    opened: When,
}

struct Contender {
    who: String,
    value: String,
}

struct Filters {
    entity: String,
    /// The word in the address, what is written there, and whether it is asked for.
    kinds: Vec<(&'static str, &'static str, bool)>,
    path: String,
    sources: Vec<(String, bool)>,
    is_narrowed: bool,
    /// Of conflicts that are alike: what they have in common.
    alike: Option<String>,
}

impl GroupRow {
    fn kind(&self) -> Badge<'_> {
        Badge::of(self.kind)
    }

    fn of(entity: &EntityName, group: Group) -> Self {
        let query = format!("entity={}&alike={}", encoded(entity.as_str()), group.alike);
        Self {
            place: words::place(&group.path),
            kind: words::kind(group.kind),
            sources: words::names(&group.sources),
            count: grouped(group.conflicts),
            oldest: When::of(&group.oldest),
            decide: format!("/conflicts/alike?{query}"),
            list: format!("/conflicts?{query}"),
        }
    }
}

impl Row {
    fn kind(&self) -> Badge<'_> {
        Badge::of(self.kind)
    }

    /// Puts rows into words; which records they are about is asked for once.
    async fn all(service: &Service, entity: &EntityName, rows: Vec<InboxRow>) -> Result<Vec<Self>, Refused> {
        let records: BTreeSet<_> = rows.iter().map(|row| row.row.record).collect();
        let listed = service.ask(ListSome { entity: entity.clone(), records: records.into_iter().collect() }).await?;
        let told = |listed: Listed| (listed.record, listed.beginning.as_deref().map(telling).unwrap_or_default());
        let told: BTreeMap<InternalKey, _> = listed.into_iter().map(told).collect();
        let row = |row: InboxRow| {
            let telling = told.get(&row.row.record).cloned().unwrap_or_default();
            Self::of(row, telling)
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn of(row: InboxRow, telling: Vec<(String, String)>) -> Self {
        let contender = |contender: &crate::domain::merge::Contender| Contender {
            who: words::names(&contender.sources),
            value: words::glance(contender.value.as_ref()),
        };
        Self {
            id: row.row.id,
            record: row.row.record.0,
            telling,
            place: words::place(&row.row.conflict.path),
            kind: words::kind(row.row.conflict.kind),
            contenders: row.row.conflict.contenders.iter().take(4).map(contender).collect(),
            opened: When::of(&row.row.opened_at),
        }
    }
}

/// What the address asks for.
struct Asked {
    entity: Option<EntityName>,
    kind: Option<ConflictKind>,
    path: Option<Pointer>,
    source: Option<String>,
    alike: Option<Likeness>,
    after: i64,
}

impl Asked {
    fn read(request: &HttpRequest) -> Result<Self, Refused> {
        let known = ["entity", "kind", "path", "source", "alike", "after", "done"];
        let query = Query::parse(request.query_string(), &known)?;
        let wrong = |name: &str, text: &str| input::malformed(format_args!("{name} cannot be {text:?}"));
        let kind = query.get("kind").map(|text| {
            words::KINDS
                .into_iter()
                .find(|kind| words::kind_in_addresses(*kind) == text)
                .ok_or_else(|| wrong("kind", text))
        });
        let path = query.get("path").map(|text| words::read_place(text).ok_or_else(|| wrong("path", text)));
        let alike = query.get("alike").map(|text| text.parse().map_err(|_| wrong("alike", text)));
        Ok(Self {
            entity: query.get("entity").map(input::entity).transpose()?,
            kind: kind.transpose()?,
            path: path.transpose()?,
            source: query.get("source").map(str::to_owned),
            alike: alike.transpose()?,
            after: query.window()?.after,
        })
    }

    /// Refuses names of nothing. What is configured no more may have conflicts.
    fn check(&self, service: &Service, counts: &[EntityCount]) -> Result<(), Refused> {
        let Some(entity) = &self.entity else { return Ok(()) };
        let configured = match service.entity(entity) {
            Ok(configured) => configured,
            Err(_) if counts.iter().any(|count| count.entity == *entity) => return Ok(()),
            Err(refused) => return Err(refused),
        };
        let source = self.source.as_deref().map(|text| input::source(text, entity)).transpose()?;
        source.map_or(Ok(()), |source| service.source(&configured, &source))
    }

    fn is_narrowed(&self) -> bool {
        self.kind.is_some() || self.path.is_some() || self.source.is_some() || self.alike.is_some()
    }

    fn within(&self, entity: &EntityName) -> Result<Within, Refused> {
        if let Some(alike) = &self.alike {
            return Ok(Within::Alike(alike.clone()));
        }
        let source = self.source.as_deref().map(|text| input::source(text, entity)).transpose()?;
        Ok(Within::Entity { kind: self.kind, path: self.path.clone(), source })
    }
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let mut asked = Asked::read(&request)?;
    let counts = service.ask(CountInbox).await?;
    if let ([only], None) = (&counts[..], &asked.entity) {
        asked.entity = Some(only.entity.clone());
    }
    let frame = Frame::new(visitor, Tab::Conflicts, "Conflicts");
    let nothing = Empty::new(
        "Nothing waits for a decision",
        "When systems disagree and the rules leave it to a person, it is listed here.",
    );
    let summary = summary(&counts);
    let page_of =
        |sections, others, filters, pager| InboxPage { frame, summary, sections, others, filters, pager, nothing };
    match &asked.entity {
        Some(entity) => {
            let (section, next) = of_one(&service, &asked, entity, &counts).await?;
            if section.rows.is_empty() {
                asked.check(&service, &counts)?;
            }
            let filters = filters(&service, &asked, entity, &section);
            let kind = asked.kind.map(words::kind_in_addresses).unwrap_or_default();
            let path = asked.path.as_ref().map(ToString::to_string).unwrap_or_default();
            let (source, alike) = (asked.source.as_deref().unwrap_or_default(), &asked.alike);
            let alike = alike.as_ref().map(Likeness::as_str).unwrap_or_default();
            let kept =
                [("entity", entity.as_str()), ("kind", kind), ("path", &path), ("source", source), ("alike", alike)];
            let pager = Pager::new("/conflicts", &kept, asked.after, next);
            let sections = if section.rows.is_empty() && !asked.is_narrowed() { Vec::new() } else { vec![section] };
            page(&page_of(sections, Vec::new(), Some(filters), pager))
        }
        None => {
            let mut sections = Vec::new();
            for count in counts.iter().take(UNFOLDED) {
                sections.push(of_several(&service, count).await?);
            }
            let other = |count: &EntityCount| Other {
                entity: count.entity.to_string(),
                count: words::count(count.conflicts, "conflict", "conflicts"),
            };
            let others = counts.iter().skip(UNFOLDED).map(other).collect();
            page(&page_of(sections, others, None, Pager::new("/conflicts", &[], 0, None)))
        }
    }
}

fn summary(counts: &[EntityCount]) -> String {
    let all: i64 = counts.iter().map(|count| count.conflicts).sum();
    match counts {
        [] => "No conflict is open.".to_owned(),
        [only] if all == 1 => format!("1 conflict of {} waits for a decision.", only.entity),
        [only] => format!("{} conflicts of {} wait for a decision.", grouped(all), only.entity),
        _ => format!("{} conflicts in {} entities wait for a decision.", grouped(all), counts.len()),
    }
}

async fn of_one(
    service: &Service,
    asked: &Asked,
    entity: &EntityName,
    counts: &[EntityCount],
) -> Result<(Section, Option<i64>), Refused> {
    let count = counts.iter().find(|count| count.entity == *entity);
    let is_first = asked.after == 0 && !asked.is_narrowed();
    let groups = if is_first { groups(service, entity, 12).await? } else { Vec::new() };
    let list = ListInbox { entity: entity.clone(), within: asked.within(entity)?, after: asked.after, limit: OF_ONE };
    let listed = service.ask(list).await?;
    let section = Section {
        entity: entity.to_string(),
        count: words::count(count.map_or(0, |count| count.conflicts), "conflict", "conflicts"),
        oldest: When::of(count.map(|count| count.oldest.as_str()).unwrap_or_default()),
        groups,
        rows: Row::all(service, entity, listed.items).await?,
        rest: None,
    };
    Ok((section, listed.next))
}

async fn of_several(service: &Service, count: &EntityCount) -> Result<Section, Refused> {
    let entity = &count.entity;
    let within = Within::Entity { kind: None, path: None, source: None };
    let listed = service.ask(ListInbox { entity: entity.clone(), within, after: 0, limit: OF_EACH }).await?;
    let rest = listed.next.map(|_| format!("/conflicts?entity={}", encoded(entity.as_str())));
    Ok(Section {
        entity: entity.to_string(),
        count: words::count(count.conflicts, "conflict", "conflicts"),
        oldest: When::of(&count.oldest),
        groups: groups(service, entity, 4).await?,
        rows: Row::all(service, entity, listed.items).await?,
        rest,
    })
}

async fn groups(service: &Service, entity: &EntityName, limit: i64) -> Result<Vec<GroupRow>, Refused> {
    let groups = service.ask(ListGroups { entity: entity.clone(), limit }).await?;
    Ok(groups.into_iter().map(|group| GroupRow::of(entity, group)).collect())
}

fn filters(service: &Service, asked: &Asked, entity: &EntityName, section: &Section) -> Filters {
    let configured = service.entity(entity).ok();
    let names = configured.iter().flat_map(|entity| entity.sources.keys());
    let is_asked = |name: &str| asked.source.as_deref() == Some(name);
    let of_kind = |kind| (words::kind_in_addresses(kind), words::kind(kind), asked.kind == Some(kind));
    let alike = asked.alike.as_ref().map(|_| match section.rows.first() {
        Some(row) => format!("{}, {}", row.place, row.kind),
        None => "decided by now".to_owned(),
    });
    Filters {
        entity: entity.to_string(),
        kinds: words::KINDS.into_iter().map(of_kind).collect(),
        path: asked.path.as_ref().map(words::place).unwrap_or_default(),
        sources: names.map(|name| (name.to_string(), is_asked(name.as_str()))).collect(),
        is_narrowed: asked.is_narrowed(),
        alike,
    }
}
