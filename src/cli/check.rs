//! `retcon check`: is the configuration right?

use serde::Serialize;

use super::args::Format;
use super::context::Context;
use super::error::{CliError, Exit, finding};
use super::output;
use crate::api::wire::reload as wire;
use crate::config::{self, Finding, Loaded};

/// What was found, in the form of JSON.
#[derive(Serialize)]
struct Report {
    file: String,
    errors: Vec<wire::Finding>,
    warnings: Vec<wire::Finding>,
}

/// Prints every finding; warnings alone are no failure.
pub(super) fn run(context: &Context) -> Result<Exit, CliError> {
    let file = context.config_file()?;
    let loaded = config::load(&file, config::environment());
    let (errors, warnings) = match &loaded {
        Ok(loaded) => (&[][..], &loaded.warnings),
        Err(found) => (&found.errors[..], &found.warnings),
    };
    if context.format() == Format::Json {
        let found = |findings: &[Finding]| findings.iter().map(wire::Finding::from).collect();
        let report = Report { file: file.display().to_string(), errors: found(errors), warnings: found(warnings) };
        output::print(&serde_json::to_string(&report).expect("a report has text and whole numbers alone"))?;
    }
    for warning in warnings {
        output::remark(&format!("warning: {}", finding(warning)));
    }
    let loaded = loaded.map_err(CliError::Config)?;
    if context.format() == Format::Text {
        output::print(&summary(&file.display().to_string(), &loaded))?;
    }
    Ok(Exit::Done)
}

fn summary(file: &str, loaded: &Loaded) -> String {
    let entities = loaded.config.entities.len();
    let sources: usize = loaded.config.entities.values().map(|entity| entity.sources.len()).sum();
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut text =
        format!("ok: {file}: {}, {}", count(entities, "entity", "entities"), count(sources, "source", "sources"));
    if !loaded.warnings.is_empty() {
        text.push_str(&format!(", {}", count(loaded.warnings.len(), "warning", "warnings")));
    }
    text
}
