//! `/records/{entity}/{id}/origin`: who set each value, when, and who lost.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::past::{Cause, cause};
use super::{RecordPlace, find, read_path};
use crate::actor::store::requests::view::ListHistory;
use crate::api::Service;
use crate::api::input::Query;
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::page;
use crate::api::pages::parts::{Cell, Empty, Grouped, When};
use crate::api::pages::words;
use crate::api::problem::Refused;
use crate::config::model::Entity;
use crate::domain::history::Version;
use crate::domain::key::InternalKey;
use crate::domain::pointer::Pointer;
use crate::domain::provenance::{Origin, provenance};

/// So many versions are looked at, the latest ones.
const LOOKED_AT: i64 = 5_000;

/// So many are read at a time.
const AT_A_TIME: i64 = 1_000;

/// So many fields are explained on the page, and so many values that lost at each.
const SHOWN: usize = 500;
const LOST: usize = 10;

/// Where each value came from.
#[derive(Template)]
#[template(path = "origin.html", config = "src/api/pages/askama.toml")]
struct OriginPage {
    frame: Frame,
    place: RecordPlace,
    rows: Vec<OriginRow>,
    left_out: usize,
    /// The history is longer than what was looked at.
    is_cut: bool,
    nothing: Empty<'static>,
}

struct OriginRow {
    name: String,
    value: Cell,
    who: String,
    cause: Cause,
    when: When,
    version: i64,
    lost: Vec<(String, Cell, i64)>,
    more_lost: usize,
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    Query::parse(request.query_string(), &[])?;
    let (entity, record) = read_path(&service, &path)?;
    let known = find(&service, &entity, record).await?;
    let from = (known.record.version - LOOKED_AT).max(0);
    let history = history(&service, &entity, record, from).await?;
    let origins = provenance(&history, &entity.rules);
    let left_out = origins.len().saturating_sub(SHOWN);
    let place = RecordPlace::of(&entity, record);
    page(&OriginPage {
        frame: Frame::new(visitor, Tab::Records, format!("{} explained", place.name())),
        rows: origins.into_iter().take(SHOWN).map(|(at, origin)| row(&at, origin)).collect(),
        nothing: Empty::new("Nothing to explain", "Nothing was agreed on yet."),
        is_cut: from > 0,
        place,
        left_out,
    })
}

async fn history(service: &Service, entity: &Entity, record: InternalKey, from: i64) -> Result<Vec<Version>, Refused> {
    let (mut history, mut next) = (Vec::new(), Some(from));
    while let Some(after) = next {
        let list = ListHistory { entity: entity.name.clone(), record, after, limit: AT_A_TIME };
        let read = service.ask(list).await?;
        history.extend(read.items);
        next = read.next;
    }
    Ok(history)
}

fn row(at: &Pointer, origin: Origin) -> OriginRow {
    let who = match origin.sources.as_slice() {
        [] => "a person".to_owned(),
        sources => sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let more_lost = origin.overruled.len().saturating_sub(LOST);
    // The latest ones.
    let lost = origin.overruled.into_iter().skip(more_lost);
    OriginRow {
        name: words::place(at),
        value: Cell::of(&origin.value),
        cause: cause(&origin.cause),
        when: When::of(&origin.at),
        version: origin.version,
        lost: lost.map(|lost| (lost.source.to_string(), Cell::of_field(lost.value.as_ref()), lost.version)).collect(),
        who,
        more_lost,
    }
}
