//! A configuration as it is shown: in the form of the file, every setting with its value, secrets hidden.

use serde_json::{Map, Value, json};

use super::duration;
use super::model::{AlertKind, Config, DatabaseUrl, Entity, Limit, Log, ReadBack, Retention, Server, Source};
use super::words::Words;
use crate::domain::rules::{ArrayRule, FieldRule, MergePolicy};

/// What stands where a secret is.
pub(crate) const HIDDEN: &str = "(hidden)";

impl Config {
    /// Shows it. Values of `env` and what a database URL holds besides places and names are hidden.
    pub fn shown(&self) -> Value {
        let entities = self.entities.iter().map(|(name, entity)| (name.to_string(), entity_shown(entity)));
        let Log { level, format } = &self.log;
        let Retention { work, history, events } = &self.retention;
        let on: Vec<&str> = self.alerts.on.iter().copied().map(AlertKind::word).collect();
        json!({
            "server": server(&self.server),
            "database": {
                "url": url(&self.database.url),
                "bin_dir": self.database.bin_dir.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                "pool_size": self.database.pool_size,
            },
            "log": { "level": level.word(), "format": format.word() },
            "reload": { "watch": self.reload.watch },
            "retention": { "work": kept(*work), "history": kept(*history), "events": kept(*events) },
            "alerts": { "command": self.alerts.command, "on": on },
            "entities": entities.collect::<Map<_, _>>(),
        })
    }
}

fn server(server: &Server) -> Value {
    let tls = server.tls.as_ref().map(|tls| json!({ "cert": tls.cert, "key": tls.key }));
    json!({
        "listen": server.listen.map(|address| address.to_string()).unwrap_or_default(),
        "hosts": server.hosts,
        "tls": tls.unwrap_or_else(|| json!({})),
        "state_dir": server.state_dir,
        "grace": duration::display(server.grace),
    })
}

/// Shows where a database is: its hosts and its name, and neither who logs in nor with what.
fn url(url: &DatabaseUrl) -> String {
    let DatabaseUrl::External(url) = url else { return "embedded".to_owned() };
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://{HIDDEN}@{place}"),
        None => format!("{scheme}://{rest}"),
    }
}

fn kept(time: Option<std::time::Duration>) -> String {
    time.map_or_else(|| duration::FOREVER.to_owned(), duration::display)
}

fn limit(limit: &Limit) -> Value {
    json!({ "count": limit.count, "per": duration::display(limit.per) })
}

fn entity_shown(entity: &Entity) -> Value {
    let rules = &entity.rules;
    let sources = entity.sources.iter().map(|(name, source)| (name.to_string(), source_shown(source)));
    let fields = rules.fields.iter().map(|(at, rule)| (at.to_string(), field(rule)));
    let arrays = rules.arrays.iter().map(|(at, rule)| (at.to_string(), array(rule)));
    let every = entity.reconcile.every.unwrap_or_default();
    json!({
        "description": entity.description,
        "schema": entity.schema.as_ref().map(|schema| schema.path.display().to_string()).unwrap_or_default(),
        "mode": entity.mode.word(),
        "merge_policy": policy(&rules.merge_policy),
        "match": rules.matching.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "on_delete": rules.on_delete.word(),
        "delete_after": duration::display(entity.delete_after),
        "max_deletes": limit(&entity.max_deletes),
        "max_changes": limit(&entity.max_changes),
        "throttle": {
            "rate": entity.throttle.rate,
            "burst": entity.throttle.burst,
            "in_flight": entity.throttle.in_flight,
        },
        "retry": {
            "first": duration::display(entity.retry.first),
            "max": duration::display(entity.retry.max),
            "attempts": entity.retry.attempts,
        },
        "reconcile": { "every": duration::display(every), "mode": entity.reconcile.mode.word() },
        "fields": fields.collect::<Map<_, _>>(),
        "arrays": arrays.collect::<Map<_, _>>(),
        "sources": sources.collect::<Map<_, _>>(),
    })
}

fn policy(policy: &MergePolicy) -> String {
    match policy {
        MergePolicy::IgnoreConflicts => "ignore-conflicts".to_owned(),
        MergePolicy::AcceptAll => "accept-all".to_owned(),
        MergePolicy::RejectAll => "reject-all".to_owned(),
        MergePolicy::TrustOnly(source) => format!("trust-only:{source}"),
        MergePolicy::Prefer(sources) => {
            let names: Vec<&str> = sources.iter().map(|source| source.as_str()).collect();
            format!("prefer:{}", names.join(","))
        }
    }
}

/// Shows what is said of a place; what is not said is left out.
fn field(rule: &FieldRule) -> Value {
    let mut shown = Map::new();
    if let Some(of_place) = &rule.merge_policy {
        shown.insert("merge_policy".to_owned(), policy(of_place).into());
    }
    if let Some(equal) = &rule.equal {
        shown.insert("equal".to_owned(), equal.iter().map(|folding| folding.word()).collect::<Vec<_>>().into());
    }
    shown.insert("atomic".to_owned(), rule.atomic.into());
    shown.into()
}

fn array(rule: &ArrayRule) -> Value {
    match rule {
        ArrayRule::Key(member) => json!({ "key": member.to_string() }),
        ArrayRule::Set => json!({ "set": true }),
    }
}

fn source_shown(source: &Source) -> Value {
    let mut shown = Map::new();
    for (name, command) in source.commands.named() {
        shown.insert(name.to_owned(), command.words().into());
    }
    let fields = source.fields.as_ref().map(|fields| fields.iter().map(ToString::to_string).collect::<Vec<_>>());
    if let Some(fields) = fields {
        shown.insert("fields".to_owned(), fields.into());
    }
    let read_back = match source.read_back {
        ReadBack::Auto => json!("auto"),
        ReadBack::Always => json!(true),
        ReadBack::Never => json!(false),
    };
    let env: Map<String, Value> = source.env.keys().map(|name| (name.clone(), HIDDEN.into())).collect();
    let settings = [
        ("description", json!(source.description)),
        ("timeout", json!(duration::display(source.timeout))),
        ("list_timeout", json!(duration::display(source.list_timeout))),
        ("read_back", read_back),
        ("recheck", json!(duration::display(source.recheck))),
        ("create_is_idempotent", json!(source.create_is_idempotent)),
        ("renamed_from", json!(source.renamed_from.as_ref().map(|name| name.as_str()).unwrap_or_default())),
        ("env", env.into()),
    ];
    shown.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hidden: &str, shown: &str) {
        assert_eq!(url(&DatabaseUrl::External(hidden.to_owned())), shown);
    }

    #[test]
    fn a_database_is_shown_by_its_place_and_never_by_its_password() {
        check("postgres://ann:secret@db1:5432,db2/retcon", "postgres://(hidden)@db1:5432,db2/retcon");
        check("postgres://ann:se@cret@db/retcon?password=secret", "postgres://(hidden)@db/retcon");
        check("postgres://db/retcon?user=ann&password=secret", "postgres://db/retcon");
        check("postgres:///retcon?host=/run&password=secret", "postgres:///retcon");
    }
}
