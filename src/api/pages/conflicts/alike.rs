//! `/conflicts/alike`: many conflicts that are alike, decided at once; first it is shown what that comes to.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::future::join_all;

use crate::actor::store::requests::inbox::{
    FindGroup, Group, InboxRow, Likeness, ListInbox, ListPicks, MOST_AT_ONCE, OrderAlike, Pick, Within,
};
use crate::actor::store::requests::queue::{Choice, Deed};
use crate::actor::supervisor::{DecideAlike, GetPreview, PreviewReady, Previewed};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::pages::form::{Fields, Form};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::{encoded, page, see};
use crate::api::pages::parts::{Badge, Cell, Grouped, When};
use crate::api::pages::words;
use crate::api::problem::Refused;
use crate::domain::merge::{Conflict, Contender, Decision};
use crate::domain::name::EntityName;
use crate::domain::plan::{Fate, Prospect};

/// Of how many it is shown what exactly would change.
const SHOWN: usize = 20;

/// What the form has by which they are decided.
pub(super) const FIELDS: Fields = &["entity", "alike", "choose", "shown"];

#[derive(Template)]
#[template(path = "alike.html", config = "src/api/pages/askama.toml")]
struct AlikePage {
    frame: Frame,
    entity: String,
    alike: String,
    list: String,
    group: Option<GroupFacts>,
    /// What may be said of all of them, in the form's words and in ours.
    options: Vec<Choosable>,
    /// The first of them, with what each side says.
    samples: Vec<Sample>,
    decided: Option<Decided>,
}

struct GroupFacts {
    place: String,
    kind: &'static str,
    sources: String,
    count: i64,
    oldest: When,
}

struct Choosable {
    value: String,
    text: String,
    is_chosen: bool,
}

struct Sample {
    record: i64,
    conflict: i64,
    agreed: Cell,
    sides: Vec<(String, Cell)>,
}

/// What the decision comes to.
struct Decided {
    sentence: String,
    choose: String,
    /// How many are decided by it.
    count: usize,
    /// Of how many there is more than that.
    beyond: i64,
    shown: String,
    previews: Vec<PreviewRow>,
}

struct PreviewRow {
    record: i64,
    conflict: i64,
    note: Option<String>,
    writes: Vec<Write>,
}

struct Write {
    source: String,
    word: &'static str,
    changes: Vec<(String, Cell, Cell)>,
}

impl GroupFacts {
    fn kind(&self) -> Badge<'_> {
        Badge::of(self.kind)
    }
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "alike", "choose", "done"])?;
    let missing = || input::malformed("the address does not say which conflicts");
    let entity = input::entity(query.get("entity").ok_or_else(missing)?)?;
    let alike: Likeness = query.get("alike").ok_or_else(missing)?.parse().map_err(|_| missing())?;
    let group = service.ask(FindGroup { entity: entity.clone(), alike: alike.clone() }).await?;
    if group.is_none() {
        service.entity(&entity)?;
    }
    let chosen =
        query.get("choose").map(|text| choice(text).ok_or_else(|| input::malformed("there is no such choice")));
    let chosen = chosen.transpose()?;
    let decided = match (&group, &chosen) {
        (Some(group), Some(decision)) if visitor.may_act() => Some(decided(&service, &entity, group, decision).await?),
        _ => None,
    };
    let samples = match &group {
        Some(_) if decided.is_none() => samples(&service, &entity, &alike).await?,
        Some(_) | None => Vec::new(),
    };
    page(&AlikePage {
        frame: Frame::new(visitor, Tab::Conflicts, "Conflicts that are alike"),
        list: format!("/conflicts?entity={}&alike={alike}", encoded(entity.as_str())),
        entity: entity.to_string(),
        alike: alike.to_string(),
        options: group.iter().flat_map(|group| options(group, chosen.as_ref())).collect(),
        group: group.map(facts),
        samples,
        decided,
    })
}

/// Stores the orders, and leads to where it is seen what becomes of them.
pub(super) async fn resolve(
    service: web::Data<Service>,
    visitor: Visitor,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let stale = || input::malformed("the form does not say what was shown: load its page anew");
    let entity = input::entity(form.required("entity")?)?;
    let alike: Likeness = form.required("alike")?.parse().map_err(|_| stale())?;
    let decision = form.text("choose").and_then(choice).ok_or_else(stale)?;
    let shown = read_shown(form.required("shown")?).ok_or_else(stale)?;
    let once = form.text("once").and_then(|text| uuid::Uuid::parse_str(text).ok()).ok_or_else(stale)?;
    let first = shown.first().map(|(conflict, _)| *conflict).ok_or_else(stale)?;
    let about = service.ask(crate::actor::store::requests::view::FindConflict { id: first }).await?;
    let about = about.filter(|about| about.entity == entity).ok_or_else(stale)?;
    // As it was shown, if all of them are decided by now.
    let group = service.ask(FindGroup { entity: entity.clone(), alike }).await?;
    let (path, kind, sources) = match group {
        Some(group) => (group.path, group.kind, group.sources),
        None => {
            let contenders = about.conflict.contenders.iter();
            let sources = contenders.flat_map(|contender| contender.sources.clone()).collect();
            (about.conflict.path, about.conflict.kind, sources)
        }
    };
    let who = visitor.name().unwrap_or_default().to_owned();
    let order = OrderAlike { form: once, who, entity, path, kind, sources, decision, shown };
    let batch = service.order(DecideAlike(order)).await?;
    Ok(see(&format!("/conflicts/batches/{}", batch.0)).end())
}

fn facts(group: Group) -> GroupFacts {
    GroupFacts {
        place: words::place(&group.path),
        kind: words::kind(group.kind),
        sources: words::names(&group.sources),
        count: group.conflicts,
        oldest: When::of(&group.oldest),
    }
}

/// Reads what is to be said of all of them: values are not typed for many at once.
fn choice(text: &str) -> Option<Decision> {
    match (text, text.split_once(':')) {
        ("keep", _) => Some(Decision::Keep),
        ("absent", _) => Some(Decision::Absent),
        (_, Some(("take", name))) => name.parse().ok().map(Decision::Take),
        (_, Some(_) | None) => None,
    }
}

fn options(group: &Group, chosen: Option<&Decision>) -> Vec<Choosable> {
    let takes = group
        .sources
        .iter()
        .map(|source| (format!("take:{source}"), format!("Take what {source} says"), Decision::Take(source.clone())));
    let others = [
        ("keep".to_owned(), "Keep what is agreed".to_owned(), Decision::Keep),
        ("absent".to_owned(), "Remove it everywhere".to_owned(), Decision::Absent),
    ];
    let choosable = |(value, text, decision): (String, String, Decision)| {
        let is_chosen = chosen == Some(&decision);
        Choosable { value, text, is_chosen }
    };
    takes.chain(others).map(choosable).collect()
}

async fn samples(service: &Service, entity: &EntityName, alike: &Likeness) -> Result<Vec<Sample>, Refused> {
    let limit = i64::try_from(SHOWN).unwrap_or(i64::MAX);
    let list = ListInbox { entity: entity.clone(), within: Within::Alike(alike.clone()), after: 0, limit };
    let rows = service.ask(list).await?.items;
    let sample = |row: InboxRow| {
        let Conflict { path, agreed, contenders, .. } = &row.row.conflict;
        let side = |side: &Contender| (words::names(&side.sources), words::side(path, side.value.as_ref()));
        Sample {
            record: row.row.record.0,
            conflict: row.row.id,
            agreed: words::side(path, agreed.as_ref()),
            sides: contenders.iter().map(side).collect(),
        }
    };
    Ok(rows.into_iter().map(sample).collect())
}

/// Says what the decision comes to: for the first, exactly.
async fn decided(
    service: &Service,
    entity: &EntityName,
    group: &Group,
    decision: &Decision,
) -> Result<Decided, Refused> {
    let list = ListPicks { entity: entity.clone(), alike: group.alike.clone(), limit: MOST_AT_ONCE };
    let picks = service.ask(list).await?;
    let previews = picks.iter().take(SHOWN).map(|pick| preview(service, entity, pick, decision));
    let shown: Vec<(i64, i64)> = picks.iter().map(|pick| (pick.conflict, pick.revision)).collect();
    Ok(Decided {
        sentence: words::decision(decision),
        choose: match decision {
            Decision::Take(source) => format!("take:{source}"),
            Decision::Keep => "keep".to_owned(),
            Decision::Absent | Decision::Value(_) => "absent".to_owned(),
        },
        count: picks.len(),
        beyond: (group.conflicts - i64::try_from(picks.len()).unwrap_or(0)).max(0),
        shown: write_shown(&shown),
        previews: join_all(previews).await.into_iter().collect::<Result<_, _>>()?,
    })
}

async fn preview(
    service: &Service,
    entity: &EntityName,
    pick: &Pick,
    decision: &Decision,
) -> Result<PreviewRow, Refused> {
    let Pick { conflict, revision, record } = *pick;
    let choice = Choice { conflict, revision, decision: decision.clone() };
    let deed = Some(Deed::Resolve(vec![choice]));
    let row = |note: Option<String>, writes| PreviewRow { record: record.0, conflict, note, writes };
    Ok(match service.order(GetPreview { entity: entity.clone(), record, deed }).await? {
        Previewed::Ready(ready) if ready.preview.fate == Fate::Done => row(note(&ready), writes(&ready)),
        Previewed::Ready(_) | Previewed::Refused(_) => {
            row(Some("the values moved: it will not be applied".to_owned()), Vec::new())
        }
        Previewed::Reading => row(Some("still being read: load the page anew in a moment".to_owned()), Vec::new()),
        Previewed::Unserved(why) => row(Some(format!("cannot be looked at now: {why}")), Vec::new()),
        Previewed::Failed(why) => row(Some(why), Vec::new()),
    })
}

/// What there is to say besides what is written.
fn note(ready: &PreviewReady) -> Option<String> {
    let later = ready.preview.copies.iter().filter(|(_, copy)| matches!(copy.prospect, Prospect::Later(_)));
    let later: Vec<_> = later.map(|(name, _)| name.clone()).collect();
    if !later.is_empty() {
        return Some(format!("{} cannot be dealt with now, and is written to later", words::names(&later)));
    }
    writes(ready).is_empty().then(|| "nothing is written to any system".to_owned())
}

fn writes(ready: &PreviewReady) -> Vec<Write> {
    let write = |(name, copy): (&crate::domain::name::SourceName, &crate::domain::plan::CopyPreview)| {
        let (word, changes) = match &copy.prospect {
            Prospect::Update { changes, .. } => ("is updated", changes.iter().map(words::change).collect()),
            Prospect::Create(_) => ("is created", Vec::new()),
            Prospect::Delete => ("is deleted", Vec::new()),
            _ => return None,
        };
        Some(Write { source: name.to_string(), word, changes })
    };
    ready.preview.copies.iter().filter_map(write).collect()
}

/// Writes which conflicts were shown at which revision: each number as its distance from the one before, `:revision` where it is not 1.
fn write_shown(shown: &[(i64, i64)]) -> String {
    let mut last = 0;
    let mut parts = Vec::with_capacity(shown.len());
    for (conflict, revision) in shown {
        let distance = conflict - last;
        last = *conflict;
        parts.push(if *revision == 1 { distance.to_string() } else { format!("{distance}:{revision}") });
    }
    parts.join(" ")
}

fn read_shown(text: &str) -> Option<Vec<(i64, i64)>> {
    let mut last: i64 = 0;
    let one = |part: &str| {
        let (distance, revision) = part.split_once(':').unwrap_or((part, "1"));
        last = last.checked_add(distance.parse::<i64>().ok().filter(|distance| *distance > 0)?)?;
        Some((last, revision.parse().ok()?))
    };
    let shown: Vec<(i64, i64)> = text.split(' ').map(one).collect::<Option<_>>()?;
    (i64::try_from(shown.len()).ok()? <= MOST_AT_ONCE).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_comes_back_in_few_letters() {
        let shown = vec![(7, 1), (8, 3), (1_000, 1)];
        assert_eq!(write_shown(&shown), "7 1:3 992");
        assert_eq!(read_shown("7 1:3 992"), Some(shown));
        for bad in ["", "x", "0", "1 -1", "1:x", "9223372036854775807 1"] {
            assert_eq!(read_shown(bad), None, "{bad:?}");
        }
        let many: Vec<(i64, i64)> = (1..=MOST_AT_ONCE).map(|n| (n * 3, 1)).collect();
        assert!(write_shown(&many).len() < 30_000);
        let beyond: Vec<(i64, i64)> = (1..=MOST_AT_ONCE + 1).map(|n| (n, 1)).collect();
        assert_eq!(read_shown(&write_shown(&beyond)), None);
    }

    #[test]
    fn a_choice_for_many_is_a_side_or_none() {
        assert_eq!(choice("take:crm"), Some(Decision::Take("crm".parse().expect("a name"))));
        assert_eq!((choice("keep"), choice("absent")), (Some(Decision::Keep), Some(Decision::Absent)));
        assert_eq!((choice("value"), choice("take:"), choice("")), (None, None, None));
    }
}
