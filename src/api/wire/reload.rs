//! What came of a reload, and what is wrong with a configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::reloader;
use crate::config::{self, Place};

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    pub outcome: Outcome,
    /// A line each; they name settings and never tell a value.
    pub changes: Vec<String>,
    pub errors: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Unchanged,
    Applied,
    /// Nothing was changed.
    Rejected,
    /// What need not wait for a restart is in force.
    NeedsRestart,
}

/// One mistake in a configuration, or one warning about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    #[schema(value_type = Option<String>, required)]
    pub file: Option<PathBuf>,
    /// From 1, as is `column`; absent where the file as a whole is meant.
    #[schema(required)]
    pub line: Option<usize>,
    #[schema(required)]
    pub column: Option<usize>,
    /// The environment variable that brought the value in.
    #[schema(required)]
    pub variable: Option<String>,
    /// Empty where no key is concerned.
    pub key: String,
    pub message: String,
    #[schema(required)]
    pub hint: Option<String>,
}

impl From<reloader::Reloaded> for Reloaded {
    fn from(reloaded: reloader::Reloaded) -> Self {
        let (outcome, changes, errors) = match reloaded {
            reloader::Reloaded::Unchanged => (Outcome::Unchanged, Vec::new(), Vec::new()),
            reloader::Reloaded::Applied { changes } => (Outcome::Applied, changes, Vec::new()),
            reloader::Reloaded::NeedsRestart { changes } => (Outcome::NeedsRestart, changes, Vec::new()),
            reloader::Reloaded::Rejected { errors } => (Outcome::Rejected, Vec::new(), errors),
        };
        Self { outcome, changes, errors: errors.iter().map(Finding::from).collect() }
    }
}

impl From<&config::Finding> for Finding {
    fn from(finding: &config::Finding) -> Self {
        let (line, column) = finding.position().unzip();
        Self {
            file: finding.file().map(PathBuf::from),
            line,
            column,
            variable: finding.variable().map(str::to_owned),
            key: finding.key.clone(),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }
}

impl From<Finding> for config::Finding {
    fn from(finding: Finding) -> Self {
        let Finding { file, line, column, variable, key, message, hint } = finding;
        let file = file.unwrap_or_default();
        let place = match (variable, line, column) {
            (Some(name), _, _) => Place::Variable(name),
            (None, Some(line), Some(column)) => Place::Position { file, line, column },
            (None, _, _) => Place::File(file),
        };
        Self { place, key, message, hint }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Place};

    #[test]
    fn a_finding_comes_through_the_wire_as_it_was() {
        let file = std::path::PathBuf::from("/etc/retcon/retcon.toml");
        let places = [
            Place::File(file.clone()),
            Place::Position { file, line: 12, column: 3 },
            Place::Variable("RETCON__LOG__LEVEL".to_owned()),
        ];
        for place in places {
            let hint = Some("a hint".to_owned());
            let finding = config::Finding { place, key: "log.level".to_owned(), message: "no".to_owned(), hint };
            let text = serde_json::to_string(&super::Finding::from(&finding)).expect("it is JSON");
            let read: super::Finding = serde_json::from_str(&text).expect("it is one");
            assert_eq!(config::Finding::from(read), finding);
        }
    }
}
