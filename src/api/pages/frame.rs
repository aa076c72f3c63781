//! What surrounds every page: where one is, who one is, what was just done.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use askama::filters::HtmlSafe;
use uuid::Uuid;

use super::assets;
use crate::api::access::{Caller, Session};
use crate::api::problem::Refused;
use crate::domain::access::Role;

/// Who looks at a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    /// The name of the token, or of the user at the unix socket; `None` for somebody who has not signed in.
    name: Option<String>,
    role: Option<Role>,
    /// Whether there is a session to be ended.
    is_signed_in: bool,
    done: Option<String>,
}

impl Visitor {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        let (name, role) = match extensions.get::<Caller>() {
            Some(Caller::Bearer(bearer, _)) => (Some(bearer.name.to_string()), Some(bearer.grant.role)),
            Some(owner @ Caller::Owner(_)) => (owner.name().map(|(name, _)| name), Some(Role::Operate)),
            Some(Caller::Anybody) | None => (None, None),
        };
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let done = pairs.ok().and_then(|pairs| pairs.into_inner().into_iter().find(|(name, _)| name == "done"));
        let is_signed_in = extensions.get::<Arc<Session>>().is_some();
        Self { name, role, is_signed_in, done: done.map(|(_, word)| word) }
    }

    /// The name by which the audit trail knows them.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether they may change anything.
    pub(super) fn may_act(&self) -> bool {
        self.role >= Some(Role::Operate)
    }

    /// The word of what they have just done, as the query has it: it may be any.
    pub(super) fn done(&self) -> Option<&str> {
        self.done.as_deref()
    }
}

impl FromRequest for Visitor {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Records,
    Conflicts,
    Doubts,
    Work,
    Sources,
    Configuration,
    Audit,
    /// A page that is none of these: one to sign in, or one that says what is wrong.
    None,
}

impl Tab {
    /// Those that stand in the navigation, in its order.
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Overview, "/", "Overview"),
        (Self::Records, "/records", "Records"),
        (Self::Conflicts, "/conflicts", "Conflicts"),
        (Self::Doubts, "/doubts", "In doubt"),
        (Self::Work, "/work", "Work"),
        (Self::Sources, "/sources", "Sources"),
        (Self::Configuration, "/configuration", "Configuration"),
        (Self::Audit, "/audit", "Audit"),
    ];
}

/// What surrounds a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) title: String,
    /// Who looks at it, if that is known.
    pub(super) name: Option<String>,
    /// Whether they may change anything: if not, no form is shown to them.
    pub(super) may_act: bool,
    pub(super) is_signed_in: bool,
    /// What they have just done.
    pub(super) notice: Option<String>,
    /// How everything is, where that is known.
    pub(super) health: Option<String>,
    tab: Tab,
}

/// An entry of the navigation, as it is shown.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) is_here: bool,
}

impl Frame {
    pub(super) fn new(visitor: Visitor, tab: Tab, title: impl Into<String>) -> Self {
        let may_act = visitor.may_act();
        let Visitor { name, is_signed_in, .. } = visitor;
        Self { title: title.into(), name, may_act, is_signed_in, notice: None, health: None, tab }
    }

    /// Says what was just done.
    pub(super) fn with_notice(mut self, notice: Option<impl Into<String>>) -> Self {
        self.notice = notice.map(Into::into);
        self
    }

    /// Says how everything is.
    pub(super) fn with_health(mut self, health: impl Into<String>) -> Self {
        self.health = Some(health.into());
        self
    }

    /// The hidden value by which a form that is sent twice acts once.
    pub(super) fn once(&self) -> Hidden {
        Hidden(Uuid::new_v4())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let entry = |(tab, path, text)| Entry { path, text, is_here: tab == self.tab };
        Tab::ALL.into_iter().map(entry)
    }

    pub(super) fn css(&self) -> &'static str {
        &assets::CSS.path
    }

    pub(super) fn js(&self) -> &'static str {
        &assets::JS.path
    }

    pub(super) fn follower(&self) -> &'static str {
        &assets::FOLLOWER.path
    }

    pub(super) fn icon(&self) -> &'static str {
        &assets::ICON.path
    }

    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// A hidden field of a form.
pub(super) struct Hidden(Uuid);

impl std::fmt::Display for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<input type=\"hidden\" name=\"once\" value=\"{}\">", self.0)
    }
}

impl HtmlSafe for Hidden {}
