//! `/audit`: what people did, the latest first.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::page;
use super::parts::{Badge, Empty, Pager, Tone, When, visible};
use super::place::Place;
use super::records::Choice;
use crate::actor::store::requests::access::{ActRow, Via};
use crate::actor::store::requests::browse::{ActOutcome, BrowseActs};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;

/// So many acts stand on a page.
const ON_PAGE: i64 = 50;

/// What people did.
#[derive(Template)]
#[template(path = "audit.html", config = "src/api/pages/askama.toml")]
struct AuditPage {
    frame: Frame,
    who: String,
    act: String,
    outcomes: Vec<Choice>,
    rows: Vec<ActLine>,
    nothing: Empty<'static>,
    pager: Pager,
}

struct ActLine {
    id: i64,
    when: When,
    who: String,
    via: String,
    act: String,
    target: String,
    /// The record, conflict or source that it was done to, if there is a page of it.
    path: Option<String>,
    request: Option<String>,
    outcome: Outcome,
}

impl ActLine {
    fn badge(&self) -> Badge<'_> {
        Badge::new(self.outcome.word, self.outcome.tone)
    }
}

/// How an act ended.
pub(super) struct Outcome {
    pub(super) word: &'static str,
    pub(super) tone: Tone,
    pub(super) detail: Option<String>,
}

const OUTCOMES: [(&str, &str, Option<ActOutcome>); 4] = [
    ("", "any", None),
    ("done", "done", Some(ActOutcome::Done)),
    ("refused", "refused", Some(ActOutcome::Refused)),
    ("unknown", "not known", Some(ActOutcome::Unknown)),
];

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/audit").show(show)]
}

async fn show(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["who", "act", "outcome", "after", "done"])?;
    let text = |name| query.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (who, act, word) = (text("who"), text("act"), query.get("outcome").unwrap_or_default());
    let (_, _, outcome) = OUTCOMES
        .into_iter()
        .find(|(known, ..)| *known == word)
        .ok_or_else(|| input::malformed(format_args!("outcome is done, refused or unknown, and not {word:?}")))?;
    let after = query.window()?.after;
    let browsed =
        service.ask(BrowseActs { who: who.clone(), act: act.clone(), outcome, after, limit: ON_PAGE }).await?;
    let (who, act) = (who.unwrap_or_default(), act.unwrap_or_default());
    let is_narrowed = !who.is_empty() || !act.is_empty() || outcome.is_some();
    let choice = |(value, text, _): (&str, &str, _)| Choice {
        value: value.to_owned(),
        text: text.to_owned(),
        is_chosen: value == word,
    };
    page(&AuditPage {
        frame: Frame::new(visitor, Tab::Audit, "Audit"),
        outcomes: OUTCOMES.into_iter().map(choice).collect(),
        pager: Pager::new("/audit", &[("who", &who), ("act", &act), ("outcome", word)], after, browsed.next),
        nothing: match (browsed.next, is_narrowed) {
            (Some(_), _) => Empty::new(
                "None in this part",
                "What was looked through here was done by others, or was something else.",
            ),
            (None, true) => Empty::new("No such acts", "Nobody did this, or it stands under another name."),
            (None, false) => {
                Empty::new("Nobody did anything yet", "Whatever people change is entered here before it is done.")
            }
        },
        rows: browsed.items.iter().map(line).collect(),
        who,
        act,
    })
}

fn line(row: &ActRow) -> ActLine {
    ActLine {
        id: row.id.0,
        when: When::of(&row.at),
        who: row.act.who.clone(),
        via: via(&row.act.via),
        act: row.act.act.clone(),
        target: row.act.target.clone(),
        path: page_of(&row.act.target),
        request: row.act.request.as_deref().and_then(asked),
        outcome: outcome(row),
    }
}

/// Says how an act ended.
pub(super) fn outcome(row: &ActRow) -> Outcome {
    let Some((end, _)) = &row.end else {
        let detail = Some("it is being done, or the daemon ended with it".to_owned());
        return Outcome { word: "not known", tone: Tone::Open, detail };
    };
    let detail = end.code.as_ref().map(|code| format!("{} {code}", end.status));
    match end.status {
        ..400 => Outcome { word: "done", tone: Tone::Good, detail: None },
        400..500 => Outcome { word: "refused", tone: Tone::Open, detail },
        500.. => Outcome { word: "failed", tone: Tone::Bad, detail },
    }
}

/// Says what was asked in an act: a form as its fields and what was typed or chosen, without what only the page itself sent along.
pub(super) fn asked(request: &str) -> Option<String> {
    const OF_THE_PAGE: [&str; 5] = ["once", "shown", "counted", "last", "token"];
    let is_of_page = |name: &str| {
        OF_THE_PAGE.contains(&name) || ["revision-", "seen-"].iter().any(|beginning| name.starts_with(beginning))
    };
    if request.starts_with(['{', '[']) {
        return (request != "{}").then(|| request.to_owned());
    }
    let fields =
        web::Query::<Vec<(String, String)>>::from_query(request).map(web::Query::into_inner).unwrap_or_default();
    let fields: Vec<String> = fields
        .iter()
        .filter(|(name, value)| !value.is_empty() && !is_of_page(name))
        .map(|(name, value)| format!("{name}: {}", visible(value)))
        .collect();
    (!fields.is_empty()).then(|| fields.join("\n"))
}

/// Says how somebody came.
pub(super) fn via(via: &Via) -> String {
    match via {
        Via::Token { peer } => format!("with a token, from {peer}"),
        Via::Unix { uid: Some(uid), .. } => format!("on the machine itself, as user {uid}"),
        Via::Unix { uid: None, .. } => "on the machine itself".to_owned(),
    }
}

/// Gives the page of what an act was done to, as far as its path tells.
fn page_of(target: &str) -> Option<String> {
    let path = target.strip_prefix("/v1").unwrap_or(target);
    let mut parts = path.strip_prefix('/')?.split('/');
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match parts.next()? {
        "records" => {
            let (entity, id) = (parts.next().filter(is_name)?, parts.next().filter(is_number)?);
            Some(format!("/records/{entity}/{id}"))
        }
        "conflicts" => Some(format!("/conflicts/{}", parts.next().filter(is_number)?)),
        "sources" => {
            let (entity, source) = (parts.next().filter(is_name)?, parts.next().filter(is_name)?);
            Some(format!("/sources/{entity}/{source}"))
        }
        "entities" => {
            let entity = parts.next().filter(is_name)?;
            let source = (parts.next()? == "sources").then(|| parts.next()).flatten().filter(is_name)?;
            Some(format!("/sources/{entity}/{source}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_form_is_told_what_somebody_chose_and_not_what_the_page_sent_along() {
        let form =
            "once=67e55044-10b1-426f-9247-bb680e5fe0c8&pick-3=take%3Acrm&typed-3=&revision-3=2&seen-3=%5B%5D&shown=9";
        assert_eq!(asked(form).as_deref(), Some("pick-3: take:crm"));
        assert_eq!(asked("once=1&entity=a&key=+x%E2%80%AE").as_deref(), Some("entity: a\nkey:  x\\u202E"));
        assert_eq!(asked(r#"{"take":"crm"}"#).as_deref(), Some(r#"{"take":"crm"}"#));
        assert_eq!([asked(""), asked("once=1"), asked("{}")], [None, None, None]);
    }

    #[test]
    fn an_act_leads_to_what_it_was_done_to() {
        for (target, path) in [
            ("/v1/records/customer/12/undo", Some("/records/customer/12")),
            ("/records/customer/12/sync", Some("/records/customer/12")),
            ("/v1/conflicts/7/resolve", Some("/conflicts/7")),
            ("/v1/entities/customer/sources/crm/pause", Some("/sources/customer/crm")),
            ("/sources/customer/crm/resume", Some("/sources/customer/crm")),
            ("/v1/entities/customer/pause", None),
            ("/v1/reload", None),
            ("/records/customer/../../x", None),
            ("/v1/conflicts//evil.example/resolve", None),
        ] {
            assert_eq!(page_of(target).as_deref(), path, "{target}");
        }
    }
}
