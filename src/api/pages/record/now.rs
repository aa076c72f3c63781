//! `/records/{entity}/{id}/now`: what each copy holds at this moment, and what a look would come to.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{RecordPlace, find, read_path};
use crate::actor::supervisor::{GetPreview, Previewed};
use crate::api::Service;
use crate::api::input::Query;
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::page;
use crate::api::pages::parts::{Badge, Cell, Grouped, Tone, Trouble};
use crate::api::pages::words;
use crate::api::problem::{Code, Refused};
use crate::domain::comparison::beside;
use crate::domain::json::Json;
use crate::domain::plan::{CopyPreview, Preview, Prospect};
use crate::domain::record::Reading;
use crate::domain::spelling::same;

/// So many fields are shown.
const SHOWN: usize = 300;

/// What the sources hold now.
#[derive(Template)]
#[template(path = "now.html", config = "src/api/pages/askama.toml")]
struct NowPage {
    frame: Frame,
    place: RecordPlace,
    /// Why it is not known, or not yet.
    trouble: Option<Trouble>,
    is_reading: bool,
    copies: Vec<CopyNow>,
    fields: Vec<FieldNow>,
    left_out: usize,
    conflicts: Vec<String>,
    warnings: Vec<String>,
}

/// A copy, as it was read just now.
struct CopyNow {
    source: String,
    key: Option<String>,
    word: &'static str,
    tone: Tone,
    why: Option<String>,
    /// What a look would do there.
    prospect: String,
}

impl CopyNow {
    fn badge(&self) -> Badge<'static> {
        Badge::new(self.word, self.tone)
    }
}

struct FieldNow {
    name: String,
    agreed: Cell,
    values: Vec<(String, Cell, bool)>,
}

impl FieldNow {
    fn differs(&self) -> bool {
        self.values.iter().any(|(_, _, differs)| *differs)
    }
}

/// Reads every copy. It takes the role with which a look can be asked for: programs are run.
pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    if !visitor.may_act() {
        return Err(Refused::new(Code::Forbidden, "to have the sources read takes the role operate"));
    }
    Query::parse(request.query_string(), &[])?;
    let (entity, record) = read_path(&service, &path)?;
    find(&service, &entity, record).await?;
    let previewed = service.order(GetPreview { entity: entity.name.clone(), record, deed: None }).await?;
    let place = RecordPlace::of(&entity, record);
    let frame = Frame::new(visitor, Tab::Records, format!("{} now", place.name()));
    let empty = |trouble, is_reading| NowPage {
        frame: frame.clone(),
        place: place.clone(),
        trouble,
        is_reading,
        copies: Vec::new(),
        fields: Vec::new(),
        left_out: 0,
        conflicts: Vec::new(),
        warnings: Vec::new(),
    };
    let not_known = |why: String| empty(Some(Trouble::new("The sources cannot be read now", why)), false);
    match previewed {
        Previewed::Ready(ready) => page(&filled(empty(None, false), &ready.preview, &entity.rules)),
        Previewed::Reading => page(&empty(None, true)),
        Previewed::Refused(_) => page(&not_known("the record is not there any more".to_owned())),
        Previewed::Unserved(why) => page(&not_known(why.to_owned())),
        Previewed::Failed(why) => page(&not_known(why)),
    }
}

fn filled(page: NowPage, preview: &Preview, rules: &crate::domain::rules::Rules) -> NowPage {
    let agreed = preview.record.agreed.as_ref();
    let documents = preview.copies.values().map(present);
    let rows = beside(std::iter::once(agreed).chain(documents).collect(), rules);
    let field = |row: &crate::domain::comparison::Row<'_>| {
        let held = |(n, (name, copy)): (usize, (&crate::domain::name::SourceName, &CopyPreview))| {
            let value = row.values[n + 1];
            let (cell, differs) = match (present(copy), value) {
                (None, _) => (absent(copy), false),
                (Some(_), None) => (Cell::no_field(), row.values[0].is_some()),
                (Some(_), Some(value)) => (Cell::of(value), !same(Some(value), row.values[0], &row.at, rules)),
            };
            (name.to_string(), cell, differs)
        };
        let name = words::place(&row.at);
        let agreed = if agreed.is_some() { Cell::of_field(row.values[0]) } else { Cell::no_document() };
        FieldNow { name, agreed, values: preview.copies.iter().enumerate().map(held).collect() }
    };
    let mut fields: Vec<FieldNow> = rows.iter().map(field).collect();
    if fields.len() > SHOWN {
        fields.sort_by_key(|field| !field.differs());
    }
    let left_out = fields.len().saturating_sub(SHOWN);
    fields.truncate(SHOWN);
    let copies = preview.copies.iter().map(|(name, copy)| copy_now(name.to_string(), copy));
    NowPage {
        copies: copies.collect(),
        fields,
        left_out,
        conflicts: preview.conflicts.iter().map(|conflict| words::place(&conflict.path)).collect(),
        warnings: preview.warnings.clone(),
        ..page
    }
}

/// Says why nothing is shown of a copy: one that could not be read is not one that is not there.
fn absent(copy: &CopyPreview) -> Cell {
    match &copy.reading {
        Some(Reading::Unreachable(_) | Reading::Broken(_)) => Cell::word("not read"),
        Some(Reading::Present(_) | Reading::Missing) | None => Cell::no_document(),
    }
}

fn present(copy: &CopyPreview) -> Option<&Json> {
    match &copy.reading {
        Some(Reading::Present(document)) => Some(document),
        Some(Reading::Missing | Reading::Unreachable(_) | Reading::Broken(_)) | None => None,
    }
}

fn copy_now(source: String, copy: &CopyPreview) -> CopyNow {
    let (word, tone, why) = match &copy.reading {
        None => ("no copy", Tone::Quiet, None),
        Some(Reading::Present(_)) => ("read", Tone::Good, None),
        Some(Reading::Missing) => ("missing", Tone::Open, None),
        Some(Reading::Unreachable(why)) => ("unreachable", Tone::Bad, Some(why.clone())),
        Some(Reading::Broken(why)) => ("broken", Tone::Bad, Some(why.clone())),
    };
    let prospect = match &copy.prospect {
        Prospect::InStep => "nothing to do, it holds what it should".to_owned(),
        Prospect::None => "nothing to do, it gets no copy".to_owned(),
        Prospect::Contends => "nothing, as long as the conflict is open".to_owned(),
        Prospect::Update { changes, .. } if changes.len() == 1 => "an update of 1 field".to_owned(),
        Prospect::Update { changes, .. } => format!("an update of {} fields", changes.len()),
        Prospect::Create(_) => "a copy would be made".to_owned(),
        Prospect::Delete => "the copy would be deleted".to_owned(),
        Prospect::Later(why) => format!("later: {why}"),
        Prospect::InDoubt => "nothing, until it is known what became of an earlier write".to_owned(),
        Prospect::Sought => "it is found out first what an earlier create made".to_owned(),
        Prospect::Detached => "nothing: it was unlinked on purpose".to_owned(),
    };
    CopyNow { source, key: copy.key.as_ref().map(ToString::to_string), word, tone, why, prospect }
}
