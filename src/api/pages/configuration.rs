//! `/configuration`: the configuration in force, what came of reading its file last, and reading it again.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::Value;

use super::frame::{Frame, Tab, Visitor};
use super::page::{done, page};
use super::parts::{Grouped, Pager, When};
use super::place::Place;
use crate::actor::reloader::Reloaded;
use crate::api::Service;
use crate::api::input::Query;
use crate::api::problem::Refused;
use crate::config::Finding;

/// So many entities stand on a page.
const ON_PAGE: usize = 20;

/// So many errors of a file are shown.
const ERRORS: usize = 100;

/// The configuration.
#[derive(Template)]
#[template(path = "configuration.html", config = "src/api/pages/askama.toml")]
struct ConfigurationPage {
    frame: Frame,
    file: String,
    loaded: When,
    read: When,
    /// What is wrong with the file.
    errors: Vec<ErrorLine>,
    more_errors: usize,
    needs_restart: Vec<&'static str>,
    sections: Vec<Section>,
    name: String,
    entities: Vec<Section>,
    pager: Pager,
}

struct ErrorLine {
    place: String,
    key: String,
    message: String,
    hint: Option<String>,
}

/// A table of the file.
struct Section {
    name: String,
    settings: Vec<(String, String)>,
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/configuration").show(show), Place::at("/configuration/reload").act(&[], reload)]
}

async fn show(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["name", "after", "done"])?;
    let (name, after) = (query.get("name").unwrap_or_default().to_owned(), query.window()?.after);
    let shown = service.config.borrow().shown();
    let state = service.config_state.borrow().clone();
    let (mut sections, mut entities) = (Vec::new(), Vec::new());
    for (table, value) in shown.as_object().into_iter().flatten() {
        if table == "entities" {
            entities.extend(value.as_object().into_iter().flatten().map(|(name, value)| section(name, value)));
        } else {
            sections.push(section(table, value));
        }
    }
    entities.retain(|section| section.name.contains(&name));
    let from = usize::try_from(after).unwrap_or(usize::MAX).min(entities.len());
    let next = (entities.len() > from.saturating_add(ON_PAGE)).then(|| after.saturating_add(20));
    let entities = entities.into_iter().skip(from).take(ON_PAGE).collect();
    let notice = visitor.done().and_then(notice);
    page(&ConfigurationPage {
        frame: Frame::new(visitor, Tab::Configuration, "Configuration").with_notice(notice),
        file: service.config_path.display().to_string(),
        loaded: When::of(&state.loaded_at.to_string()),
        read: When::of(&state.read_at.to_string()),
        more_errors: state.errors.len().saturating_sub(ERRORS),
        errors: state.errors.iter().take(ERRORS).map(error_line).collect(),
        needs_restart: state.needs_restart,
        sections,
        entities,
        pager: Pager::new("/configuration", &[("name", &name)], after, next),
        name,
    })
}

fn notice(word: &str) -> Option<&'static str> {
    match word {
        "unchanged" => Some("The file says what is in force already."),
        "applied" => Some("The file was read again, and what it says is in force."),
        "needs-restart" => {
            Some("The file was read again. Some of it waits for a restart, as is said below; the rest is in force.")
        }
        // Said by what is wrong with it.
        _ => None,
    }
}

fn error_line(finding: &Finding) -> ErrorLine {
    let place = match (finding.variable(), finding.file(), finding.position()) {
        (Some(variable), _, _) => format!("environment variable {variable}"),
        (None, Some(file), Some((line, column))) => format!("{}, line {line}, column {column}", file.display()),
        (None, Some(file), None) => file.display().to_string(),
        (None, None, _) => String::new(),
    };
    ErrorLine { place, key: finding.key.clone(), message: finding.message.clone(), hint: finding.hint.clone() }
}

/// Makes a table of all settings below a name.
fn section(name: &str, value: &Value) -> Section {
    let mut settings = Vec::new();
    gather(String::new(), value, &mut settings);
    Section { name: name.to_owned(), settings }
}

fn gather(key: String, value: &Value, settings: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
                let name = if is_bare && !name.is_empty() { name.clone() } else { format!("{name:?}") };
                gather(if key.is_empty() { name } else { format!("{key}.{name}") }, value, settings);
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            settings.push((key, value.to_string()));
        }
    }
}

async fn reload(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let word = match service.reload().await? {
        Reloaded::Unchanged => "unchanged",
        Reloaded::Applied { .. } => "applied",
        Reloaded::NeedsRestart { .. } => "needs-restart",
        Reloaded::Rejected { .. } => "rejected",
    };
    done("/configuration", word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_named_as_in_the_file() {
        let value = json!({"rules": {"/email": {"atomic": true}}, "match": ["/email"], "env": {}, "rate": 0.0});
        let settings = section("customer", &value).settings;
        let expected =
            [("env", "{}"), ("match", r#"["/email"]"#), ("rate", "0.0"), (r#"rules."/email".atomic"#, "true")];
        assert_eq!(settings, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
