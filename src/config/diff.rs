//! What differs between two configurations, by name. Start-up is the diff from nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::model::{Alerts, Commands, Config, Database, Entity, Log, Reload, Retention, Server, Source};
use crate::domain::matching;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::rules::Rules;

/// What has to be done to get from one configuration to another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfigDiff {
    /// Settings such as `server.listen` that take effect at the next start only.
    pub needs_restart: Vec<&'static str>,
    /// Settings such as `log.level`, outside of entities, that take effect at once.
    pub settings: Vec<&'static str>,
    pub entities: BTreeMap<EntityName, EntityChange>,
}

/// What became of an entity.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityChange {
    Added(Arc<Entity>),
    Removed,
    Changed(EntityDiff),
}

/// What differs within an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityDiff {
    pub new: Arc<Entity>,
    /// Settings of the entity itself such as `merge_policy` or `throttle`; they need no restart of an actor.
    pub settings: Vec<&'static str>,
    pub sources: BTreeMap<SourceName, SourceChange>,
    /// New items are compared with records by other rules.
    pub matches_otherwise: bool,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceChange {
    Added(Arc<Source>),
    /// Added in the place of `from`, which is among the removed.
    Renamed {
        from: SourceName,
        new: Arc<Source>,
    },
    Removed,
    /// The settings that changed, such as `command`; the source's actor alone is restarted.
    Changed {
        settings: Vec<&'static str>,
        new: Arc<Source>,
    },
}

impl ConfigDiff {
    /// Compares `new` with what runs now; with `None` everything in `new` is an addition.
    pub fn between(old: Option<&Config>, new: &Config) -> Self {
        let Some(old) = old else {
            let added =
                |(name, entity): (&EntityName, &Arc<Entity>)| (name.clone(), EntityChange::Added(entity.clone()));
            return Self { entities: new.entities.iter().map(added).collect(), ..Self::default() };
        };
        let settings = [
            log_settings(&old.log, &new.log),
            reload_settings(&old.reload, &new.reload),
            retention_settings(&old.retention, &new.retention),
            alert_settings(&old.alerts, &new.alerts),
        ];
        let removed = old.entities.keys().filter(|name| !new.entities.contains_key(name));
        let mut entities: BTreeMap<_, _> = removed.map(|name| (name.clone(), EntityChange::Removed)).collect();
        for (name, entity) in &new.entities {
            let change = match old.entities.get(name) {
                None => Some(EntityChange::Added(entity.clone())),
                Some(old) => EntityDiff::between(old, entity).map(EntityChange::Changed),
            };
            entities.extend(change.map(|change| (name.clone(), change)));
        }
        Self {
            needs_restart: [server_settings(&old.server, &new.server), database_settings(&old.database, &new.database)]
                .concat(),
            settings: settings.concat(),
            entities,
        }
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.needs_restart.is_empty() && self.settings.is_empty() && self.entities.is_empty()
    }

    /// Returns one line a change, such as `entities.customer.sources.crm: command changed`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.needs_restart.iter().map(|name| format!("{name}: changed, needs a restart")).collect();
        lines.extend(self.settings.iter().map(|name| format!("{name}: changed")));
        for (name, change) in &self.entities {
            match change {
                EntityChange::Added(_) => lines.push(format!("entities.{name}: added")),
                EntityChange::Removed => lines.push(format!("entities.{name}: removed")),
                EntityChange::Changed(diff) => diff.write_lines(name, &mut lines),
            }
        }
        lines
    }
}

impl EntityDiff {
    /// Says whether what is known of a source by another name may become that of one here (`renamed_from`).
    pub fn renames(&self) -> bool {
        self.sources.values().any(|change| match change {
            SourceChange::Renamed { .. } => true,
            SourceChange::Added(new) => new.renamed_from.is_some(),
            SourceChange::Changed { settings, new } => new.renamed_from.is_some() && settings.contains(&"renamed_from"),
            SourceChange::Removed => false,
        })
    }

    fn between(old: &Entity, new: &Arc<Entity>) -> Option<Self> {
        let settings = entity_settings(old, new);
        let removed = old.sources.keys().filter(|name| !new.sources.contains_key(name));
        let mut sources: BTreeMap<_, _> = removed.map(|name| (name.clone(), SourceChange::Removed)).collect();
        for (name, source) in &new.sources {
            let change = match (old.sources.get(name), &source.renamed_from) {
                (None, Some(from)) if old.sources.contains_key(from) => {
                    Some(SourceChange::Renamed { from: from.clone(), new: source.clone() })
                }
                (None, Some(_) | None) => Some(SourceChange::Added(source.clone())),
                (Some(old), _) => {
                    let settings = source_settings(old, source);
                    (!settings.is_empty()).then(|| SourceChange::Changed { settings, new: source.clone() })
                }
            };
            sources.extend(change.map(|change| (name.clone(), change)));
        }
        let is_empty = settings.is_empty() && sources.is_empty();
        let [was, is] = [old, new.as_ref()].map(|entity| matching::rules_of_values(&entity.rules));
        (!is_empty).then(|| Self { new: new.clone(), settings, sources, matches_otherwise: was != is })
    }

    fn write_lines(&self, entity: &EntityName, lines: &mut Vec<String>) {
        lines.extend(self.settings.iter().map(|name| format!("entities.{entity}: {name} changed")));
        for (source, change) in &self.sources {
            let path = format!("entities.{entity}.sources.{source}");
            match change {
                SourceChange::Added(_) => lines.push(format!("{path}: added")),
                SourceChange::Renamed { from, .. } => lines.push(format!("{path}: added, renamed from {from}")),
                SourceChange::Removed => lines.push(format!("{path}: removed")),
                SourceChange::Changed { settings, .. } => {
                    lines.extend(settings.iter().map(|name| format!("{path}: {name} changed")));
                }
            }
        }
    }
}

/// Writes one line a change.
impl fmt::Display for ConfigDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Defines a function that names the settings in which two values differ. It names every field of the type, so that
/// a new one cannot be forgotten here; `_` is for what is compared elsewhere.
macro_rules! settings {
    ($function:ident($type:ident): $($field:ident $name:tt),+ $(,)?) => {
        fn $function(old: &$type, new: &$type) -> Vec<&'static str> {
            let mut names = Vec::new();
            let $type { $($field),+ } = old;
            $(settings!(@compare names, $field, new.$field, $name);)+
            names
        }
    };
    (@compare $names:ident, $old:ident, $new:expr, _) => { let _ = $old; };
    (@compare $names:ident, $old:ident, $new:expr, $name:literal) => {
        if *$old != $new {
            $names.push($name);
        }
    };
}

settings!(server_settings(Server):
    listen "server.listen", hosts "server.hosts", tls "server.tls", state_dir "server.state_dir", grace "server.grace");
settings!(database_settings(Database): url "database.url", bin_dir "database.bin_dir", pool_size "database.pool_size");
settings!(log_settings(Log): level "log.level", format "log.format");
settings!(reload_settings(Reload): watch "reload.watch");
settings!(retention_settings(Retention):
    work "retention.work", history "retention.history", events "retention.events");
settings!(alert_settings(Alerts): command "alerts.command", on "alerts.on", directory _);
settings!(own_settings(Entity):
    name _, description "description", schema "schema", mode "mode", rules _, delete_after "delete_after",
    max_deletes "max_deletes", max_changes "max_changes", throttle "throttle", retry "retry", reconcile "reconcile",
    sources _);
settings!(rule_settings(Rules):
    merge_policy "merge_policy", on_delete "on_delete", fields "fields", arrays "arrays", matching "match");
settings!(own_source_settings(Source):
    name _, description "description", commands _, timeout "timeout", list_timeout "list_timeout", fields "fields",
    read_back "read_back", recheck "recheck", create_is_idempotent "create_is_idempotent", renamed_from "renamed_from",
    env "env", directory "directory");
settings!(command_settings(Commands):
    create "create", read "read", update "update", delete "delete", list "list", find "find");

fn entity_settings(old: &Entity, new: &Entity) -> Vec<&'static str> {
    [own_settings(old, new), rule_settings(&old.rules, &new.rules)].concat()
}

/// The four operations that `command` stands for change together where it changes.
fn source_settings(old: &Source, new: &Source) -> Vec<&'static str> {
    let operations = command_settings(&old.commands, &new.commands);
    let (shared, extensions): (Vec<_>, Vec<_>) =
        operations.into_iter().partition(|name| !["list", "find"].contains(name));
    let shared = if shared.len() == 4 { vec!["command"] } else { shared };
    [shared, extensions, own_source_settings(old, new)].concat()
}
