//! `/records` and `/records/{entity}`: records, found by any key and by what is the matter with them.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::page;
use super::parts::{Badge, Empty, Pager, Tone, When, grouped, visible};
use super::place::Place;
use crate::actor::store::requests::browse::{Among, BrowseRecords, FindNamed, KeyState, ListSome, Listed, Named};
use crate::actor::store::requests::view::CountAll;
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;
use crate::config::model::Entity;
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::record::RecordState;

/// So many entities, or records, stand on a page.
const ON_PAGE: usize = 50;

/// So many members of a document tell people which record it is.
const TELLING: usize = 3;

/// So much of a value is shown in the list, in characters.
const SHORT: usize = 60;

/// All entities.
#[derive(Template)]
#[template(path = "entities.html", config = "src/api/pages/askama.toml")]
struct EntitiesPage {
    frame: Frame,
    name: String,
    entities: Vec<EntityRow>,
    nothing: Empty<'static>,
    pager: Pager,
}

struct EntityRow {
    path: String,
    name: String,
    description: String,
    records: String,
    conflicts: String,
    in_doubt: String,
}

/// The records of one entity.
#[derive(Template)]
#[template(path = "records.html", config = "src/api/pages/askama.toml")]
struct RecordsPage {
    frame: Frame,
    entity: String,
    description: String,
    key: String,
    sources: Vec<Choice>,
    shows: Vec<Choice>,
    /// What the key names, if one was searched for.
    found: Option<Vec<Hit>>,
    rows: Vec<RecordRow>,
    nothing: Empty<'static>,
    pager: Pager,
}

/// One of the values that a filter may have.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) is_chosen: bool,
}

/// A record that a key leads to.
struct Hit {
    why: String,
    since: Option<When>,
    row: RecordRow,
}

/// A record in a list.
struct RecordRow {
    path: String,
    id: i64,
    state: &'static str,
    telling: Vec<(String, String)>,
    links: Vec<(SourceName, ForeignKey)>,
    conflicts: i64,
    doubts: i64,
    changed: When,
}

impl RecordRow {
    fn of(entity: &Entity, listed: Listed) -> Self {
        let state = match listed.state {
            RecordState::Live => "live",
            RecordState::Deleted => "deleted",
        };
        Self {
            path: format!("/records/{}/{}", entity.name, listed.record),
            id: listed.record.0,
            state,
            telling: listed.beginning.as_deref().map(telling).unwrap_or_default(),
            links: listed.links,
            conflicts: listed.conflicts,
            doubts: listed.doubts,
            changed: When::of(&listed.changed_at),
        }
    }

    fn badge(&self) -> Badge<'static> {
        Badge::of(self.state)
    }
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    All,
    Live,
    Deleted,
    Conflict,
    Doubt,
}

impl Show {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::All, "", "all"),
        (Self::Live, "live", "live"),
        (Self::Deleted, "deleted", "deleted"),
        (Self::Conflict, "conflict", "in conflict"),
        (Self::Doubt, "in-doubt", "in doubt"),
    ];

    fn read(query: &Query) -> Result<Self, Refused> {
        let word = query.get("show").unwrap_or_default();
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == word).map(|(show, ..)| show);
        found.ok_or_else(|| {
            input::malformed(format_args!("show is live, deleted, conflict or in-doubt, and not {word:?}"))
        })
    }

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(show, ..)| *show == self).map_or("", |(_, word, _)| word)
    }

    fn narrow(self) -> (Among, Option<RecordState>) {
        match self {
            Self::All => (Among::All, None),
            Self::Live => (Among::All, Some(RecordState::Live)),
            Self::Deleted => (Among::All, Some(RecordState::Deleted)),
            Self::Conflict => (Among::Conflicting, None),
            Self::Doubt => (Among::Doubtful, None),
        }
    }

    fn nothing(self) -> Empty<'static> {
        match self {
            Self::All => Empty::new(
                "No records here",
                "A record comes to be when a source tells of an item, or when a reconciliation finds one.",
            ),
            Self::Live | Self::Deleted => Empty::new("No such records here", "Other filters may show more."),
            Self::Conflict => Empty::new("No conflicts here", "Wherever sources agree, nothing waits for a person."),
            Self::Doubt => Empty::new("Nothing in doubt here", "Of every write it is known what became of it."),
        }
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/records").show(entities), Place::at("/records/{entity}").show(list)]
}

async fn entities(
    service: web::Data<Service>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["name", "after", "done"])?;
    let (name, after) = (query.get("name").unwrap_or_default().to_owned(), query.window()?.after);
    let counts = service.ask(CountAll).await?;
    let config = service.config.borrow().clone();
    let matching = config.entities.values().filter(|entity| entity.name.as_str().contains(&name));
    let from = usize::try_from(after).unwrap_or(usize::MAX);
    let mut entities: Vec<_> = matching.skip(from).take(ON_PAGE + 1).collect();
    let next = (entities.len() > ON_PAGE).then(|| after.saturating_add(50));
    entities.truncate(ON_PAGE);
    let row = |entity: &std::sync::Arc<Entity>| {
        let counts = counts.get(&entity.name).cloned().unwrap_or_default();
        EntityRow {
            path: format!("/records/{}", entity.name),
            name: entity.name.to_string(),
            description: entity.description.clone(),
            records: grouped(counts.records),
            conflicts: grouped(counts.conflicts),
            in_doubt: grouped(counts.in_doubt),
        }
    };
    let pager = Pager::new("/records", &[("name", &name)], after, next);
    let nothing = Empty::new("No such entity", "What is to be kept in step is said in the configuration file.");
    let frame = Frame::new(visitor, Tab::Records, "Records");
    page(&EntitiesPage { frame, entities: entities.into_iter().map(row).collect(), name, nothing, pager })
}

async fn list(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let entity = service.entity(&input::entity(&path)?)?;
    let query = Query::parse(request.query_string(), &["key", "source", "show", "after", "done"])?;
    let source = query.get("source").map(|text| input::source(text, &entity.name)).transpose()?;
    source.as_ref().map(|name| service.source(&entity, name)).transpose()?;
    let (show, after) = (Show::read(&query)?, query.window()?.after);
    let typed = query.get("key").unwrap_or_default();
    let (key, found) = match typed.trim().is_empty() {
        true => (String::new(), None),
        false => {
            let (key, found) = search_as_typed(&service, &entity, typed).await?;
            (key.to_owned(), Some(found))
        }
    };
    let (rows, next) = match found {
        Some(_) => (Vec::new(), None),
        None => {
            let (among, state) = show.narrow();
            let (name, limit) = (entity.name.clone(), i64::try_from(ON_PAGE).unwrap_or(i64::MAX));
            let browsed =
                service.ask(BrowseRecords { entity: name, among, state, source: source.clone(), after, limit }).await?;
            (browsed.items.into_iter().map(|listed| RecordRow::of(&entity, listed)).collect(), browsed.next)
        }
    };
    let source = source.map(|name| name.to_string()).unwrap_or_default();
    let filters = [("show", show.word()), ("source", source.as_str())];
    page(&RecordsPage {
        frame: Frame::new(visitor, Tab::Records, format!("{} · Records", entity.name)),
        entity: entity.name.to_string(),
        description: entity.description.clone(),
        sources: sources(&entity, &source),
        shows: Show::ALL.into_iter().map(|(each, word, text)| choice(word, text, each == show)).collect(),
        nothing: if next.is_some() {
            Empty::new(
                "None in this part",
                "The records that were looked through here are others: what follows may have some.",
            )
        } else {
            show.nothing()
        },
        pager: Pager::new(&format!("/records/{}", entity.name), &filters, after, next),
        key,
        found,
        rows,
    })
}

fn choice(value: &str, text: &str, is_chosen: bool) -> Choice {
    Choice { value: value.to_owned(), text: text.to_owned(), is_chosen }
}

fn sources(entity: &Entity, chosen: &str) -> Vec<Choice> {
    let any = choice("", "any source", chosen.is_empty());
    let named = entity.sources.keys().map(|name| choice(name.as_str(), name.as_str(), name.as_str() == chosen));
    std::iter::once(any).chain(named).collect()
}

/// Finds the records that somebody means who typed this, with what of it names them.
///
/// Blanks belong to keys; they slip in with what is pasted, too.
async fn search_as_typed<'t>(
    service: &Service,
    entity: &Entity,
    typed: &'t str,
) -> Result<(&'t str, Vec<Hit>), Refused> {
    let found = search(service, entity, typed).await?;
    let trimmed = typed.trim();
    if !found.is_empty() || trimmed == typed {
        return Ok((typed, found));
    }
    Ok((trimmed, search(service, entity, trimmed).await?))
}

/// Finds the records that a text names: as internal key, and as key in each source.
async fn search(service: &Service, entity: &Entity, text: &str) -> Result<Vec<Hit>, Refused> {
    let internal = text.parse::<i64>().ok().filter(|id| *id > 0).map(InternalKey);
    let named = match text.parse::<ForeignKey>() {
        Ok(key) => {
            let sources = entity.sources.keys().cloned().collect();
            service.ask(FindNamed { entity: entity.name.clone(), sources, key }).await?
        }
        // What can be no key is the key of nothing.
        Err(_) => Vec::new(),
    };
    let records: Vec<InternalKey> = internal.into_iter().chain(named.iter().map(|named| named.record)).collect();
    let listed = service.ask(ListSome { entity: entity.name.clone(), records }).await?;
    let known: BTreeMap<InternalKey, Listed> = listed.into_iter().map(|listed| (listed.record, listed)).collect();
    let by_number = internal.and_then(|id| known.get(&id)).map(|listed| Hit {
        why: format!("internal key {}", listed.record),
        since: None,
        row: RecordRow::of(entity, listed.clone()),
    });
    let by_key = named.iter().filter_map(|named| {
        let row = RecordRow::of(entity, known.get(&named.record)?.clone());
        Some(Hit { why: bears(named), since: Some(When::of(&named.since)), row })
    });
    Ok(by_number.into_iter().chain(by_key).collect())
}

fn bears(named: &Named) -> String {
    match named.state {
        KeyState::Current => format!("its key in {}; recorded", named.source),
        KeyState::Former => format!("its key in {} before; replaced", named.source),
        KeyState::Retired => format!("its key in {}; the copy was deleted", named.source),
    }
}

/// Gives the first members of a document that tell something at a glance, shortened; of one that is long the beginning is known.
pub(super) fn telling(beginning: &str) -> Vec<(String, String)> {
    match Json::parse(beginning.as_bytes()) {
        Ok(document) => telling_of(&document),
        Err(_) => vec![(String::new(), short(beginning))],
    }
}

/// Gives the first members of a document that tell something at a glance, shortened.
pub(super) fn telling_of(document: &Json) -> Vec<(String, String)> {
    let Some(members) = document.as_object() else { return vec![(String::new(), short(&document.to_string()))] };
    let plain = members.iter().filter(|(_, value)| matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_)));
    plain.take(TELLING).map(|(name, value)| (short(&name.to_string_lossy()), short(&value.to_string()))).collect()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_plain_members_tell_which_record_it_is() {
        let told = telling(r#"{"a": {"b": 1}, "city": "Ulm", "n": 1.10, "name": "Ann", "zip": "1"}"#);
        let expected = [("city", "\"Ulm\""), ("n", "1.10"), ("name", "\"Ann\"")];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn of_a_document_that_was_cut_the_beginning_is_told() {
        let told = telling(r#"{"name": "Ann, whose name is so long that nobody wants to read all of it, and then som"#);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1.chars().count(), SHORT + 1);
    }
}
