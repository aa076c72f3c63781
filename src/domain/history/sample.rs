//! Histories for tests, written by hand.

use crate::domain::json::Json;
use crate::domain::key::InternalKey;
use crate::domain::merge::{Change, Overruled};
use crate::domain::patch;
use crate::domain::record::{Record, RecordState};
use crate::domain::rules::{ArrayRule, Rules};
use crate::domain::text::Text;

use super::Version;

pub(in crate::domain) fn json(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `/phones` is keyed by `type`, `/tags` is a set.
pub(in crate::domain) fn rules() -> Rules {
    let arrays = [("/phones", ArrayRule::Key(Text::from("type"))), ("/tags", ArrayRule::Set)];
    Rules {
        arrays: arrays.into_iter().map(|(at, rule)| (at.parse().expect("a pointer"), rule)).collect(),
        ..Rules::default()
    }
}

/// A record with its history, grown version by version.
#[derive(Default)]
pub(in crate::domain) struct Story {
    pub(in crate::domain) history: Vec<Version>,
    agreed: Option<Json>,
}

impl Story {
    /// Adds a version in which `sources` (comma-separated, empty for a person) let values stand at places, or nothing.
    pub(in crate::domain) fn then(self, sources: &str, changes: &[(&str, Option<&str>)]) -> Self {
        self.because(r#"{"kind":"sync"}"#, sources, changes)
    }

    pub(in crate::domain) fn because(mut self, cause: &str, sources: &str, changes: &[(&str, Option<&str>)]) -> Self {
        let rules = rules();
        let sources: Vec<_> =
            sources.split(',').filter(|name| !name.is_empty()).map(|name| name.parse().expect("a name")).collect();
        let live = self.state() == RecordState::Live;
        let changes: Vec<_> = changes
            .iter()
            .map(|(path, after)| {
                let path = path.parse().expect("a pointer");
                let before = self
                    .agreed
                    .as_ref()
                    .filter(|_| live)
                    .and_then(|agreed| patch::find(agreed, &path, &rules))
                    .cloned();
                Change { before, after: after.map(json), path, sources: sources.clone() }
            })
            .collect();
        self.add(json(cause), changes);
        self
    }

    pub(in crate::domain) fn add(&mut self, cause: Json, changes: Vec<Change>) {
        let version = self.history.len() as i64 + 1;
        let state = if changes.iter().any(Version::is_removal) { RecordState::Deleted } else { RecordState::Live };
        let at = format!("2026-01-01T00:00:0{}Z", version % 10);
        let version = Version { version, at, cause, changes, conflicts: Vec::new(), overruled: Vec::new(), state };
        self.agreed = version.advance(self.agreed.take(), &rules());
        self.history.push(version);
    }

    /// Adds to the last version a value that lost.
    pub(in crate::domain) fn over(mut self, path: &str, source: &str, value: Option<&str>) -> Self {
        let version = self.history.last_mut().expect("there is a version");
        let (path, source) = (path.parse().expect("a pointer"), source.parse().expect("a name"));
        version.overruled.push(Overruled { path, source, value: value.map(json) });
        self
    }

    fn state(&self) -> RecordState {
        self.history.last().map_or(RecordState::Live, |version| version.state)
    }

    pub(in crate::domain) fn record(&self) -> Record {
        Record {
            id: InternalKey(1),
            state: self.state(),
            version: self.history.len() as i64,
            agreed: self.agreed.clone(),
        }
    }
}
