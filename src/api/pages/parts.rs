//! What pages are put together from: each part is HTML of its own, and escapes what it shows.

mod cell;
mod when;
mod spark;
mod unseen;
mod number;

use askama::Template;
use askama::filters::HtmlSafe;

use super::page::encoded;
use crate::api::problem::{Code, Refused};
use crate::api::wire::problem::Problem;

pub(super) use cell::Cell;
pub(super) use number::{Grouped, grouped};
pub(super) use spark::Spark;
pub(super) use unseen::visible;
pub(super) use when::{When, span, span_since};

/// A state, as a word and a colour.
#[derive(Template)]
#[template(path = "parts/badge.html", config = "src/api/pages/askama.toml")]
pub(super) struct Badge<'a> {
    word: &'a str,
    tone: Tone,
}

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    /// It is as it should be, or passes by itself.
    Quiet,
    /// A person should look at it.
    Open,
    Bad,
}

impl Tone {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Quiet => "quiet",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }
}

impl<'a> Badge<'a> {
    /// Shows the state of an entity, a source, an actor, a work item or a record, which is given in the words of the API.
    pub(super) fn of(word: &'a str) -> Self {
        let tone = match word {
            "up" | "live" | "applied" | "in step" | "linked" => Tone::Good,
            "down" | "given-up" | "parked" | "failed" | "rejected" | "stands still" => Tone::Bad,
            "in-doubt" | "conflict" | "held" | "restarting" | "refused" | "out of step" => Tone::Open,
            _ => Tone::Quiet,
        };
        Self { word: spoken(word), tone }
    }

    pub(super) fn new(word: &'a str, tone: Tone) -> Self {
        Self { word, tone }
    }
}

impl HtmlSafe for Badge<'_> {}

/// Says a state of the API in words that need not be learnt.
pub(super) fn spoken(state: &str) -> &str {
    match state {
        "given-up" => "given up",
        "in-doubt" => "in doubt",
        "down" => "not reachable",
        "standby" => "served elsewhere",
        "restarting" => "starting again",
        other => other,
    }
}

/// What is wrong, and what to do about it.
#[derive(Template)]
#[template(path = "parts/trouble.html", config = "src/api/pages/askama.toml")]
pub(super) struct Trouble {
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) hint: Option<&'static str>,
}

impl HtmlSafe for Trouble {}

impl Trouble {
    pub(super) fn new(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { title: title.into(), detail: detail.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Says why something was refused.
    pub(super) fn of_refused(refused: &Refused) -> Self {
        Self::of(refused.problem())
    }

    pub(super) fn of(problem: &Problem) -> Self {
        let code = Code::ALL.iter().find(|code| code.as_str() == problem.code);
        Self { title: problem.title.clone(), detail: problem.detail.clone(), hint: code.and_then(|code| hint(*code)) }
    }
}

/// What a person can do who was refused so.
fn hint(code: Code) -> Option<&'static str> {
    match code {
        Code::StoreUnavailable => Some(
            "Nothing was changed and nothing is lost. retcon goes on by itself when the database is back: try again in a moment.",
        ),
        Code::Unavailable | Code::NotReady => Some("This passes by itself: try again in a moment."),
        Code::Forbidden => Some("Sign in with a token whose role goes so far, or ask somebody who has one."),
        Code::UnknownRoute => {
            Some("The link may be old, or mistyped. The navigation above leads to everything there is.")
        }
        Code::ForeignOrigin => Some("Open the page at the address at which retcon itself is served, and try again."),
        Code::KeyReused => Some("This form was sent before, with other values. Load its page anew."),
        Code::RequestUnderWay => Some("What you sent is being carried out. Load the page anew in a moment."),
        Code::Internal => Some("This is a defect of retcon, or of its database. The log says more."),
        _ => None,
    }
}

/// Says that there is nothing, and what that means.
#[derive(Template)]
#[template(path = "parts/empty.html", config = "src/api/pages/askama.toml")]
pub(super) struct Empty<'a> {
    title: &'a str,
    text: &'a str,
}

impl<'a> Empty<'a> {
    pub(super) fn new(title: &'a str, text: &'a str) -> Self {
        Self { title, text }
    }
}

impl HtmlSafe for Empty<'_> {}

/// Leads through a list: to its beginning, and to the part that follows.
#[derive(Template)]
#[template(path = "parts/pager.html", config = "src/api/pages/askama.toml")]
pub(super) struct Pager {
    first: Option<String>,
    next: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// For the part of a list after `after`, of which `next` begins the following one. `filters` are kept.
    pub(super) fn new(path: &str, filters: &[(&str, &str)], after: i64, next: Option<i64>) -> Self {
        let link = |after: Option<i64>| {
            let after = after.map(|after| after.to_string());
            let pairs = filters.iter().copied().chain(after.as_deref().map(|after| ("after", after)));
            let pairs: Vec<String> = pairs
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| format!("{name}={}", encoded(value)))
                .collect();
            if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
        };
        Self { first: (after > 0).then(|| link(None)), next: next.map(|next| link(Some(next))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_keeps_the_filters_and_encodes_them() {
        let pager = Pager::new("/work", &[("state", "parked"), ("entity", ""), ("key", "a b&c")], 7, Some(12));
        assert_eq!(pager.first.as_deref(), Some("/work?state=parked&key=a%20b%26c"));
        assert_eq!(pager.next.as_deref(), Some("/work?state=parked&key=a%20b%26c&after=12"));
        let only = Pager::new("/work", &[], 0, None);
        assert_eq!((only.first, only.next), (None, None));
    }

    #[test]
    fn what_parts_show_is_escaped() {
        let trouble = Trouble::new("<b>", "</p><script>").with_hint("try");
        let text = trouble.to_string();
        assert!(!text.contains("<b>") && !text.contains("<script>") && text.contains("try"), "{text}");
        assert!(!Badge::of("<i>").to_string().contains("<i>"));
    }
}
