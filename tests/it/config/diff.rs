//! What differs between two configurations.

use retcon::config::model::Config;
use retcon::config::{ConfigDiff, EntityChange, SourceChange};

use super::Home;

const BEFORE: &str = r#"
[entities.customer.sources.crm]
command = "true crm"
[entities.customer.sources.sales]
command = "true sales"
[entities.order.sources.shop]
command = "true shop"
"#;

/// Loads both texts as the same file, one after the other.
fn lines(before: &str, after: &str) -> Vec<String> {
    let home = Home::with(before);
    let old = home.config();
    std::fs::write(home.path("retcon.toml"), after).expect("a file can be written");
    ConfigDiff::between(Some(&old), &home.config()).lines()
}

fn config() -> Config {
    Home::with(BEFORE).config()
}

#[test]
fn nothing_differs_from_itself() {
    assert_eq!(lines(BEFORE, &format!("# a comment\n{BEFORE}")), Vec::<String>::new());
    let config = config();
    let diff = ConfigDiff::between(Some(&config), &config);
    assert!(diff.is_empty());
    assert_eq!(diff.to_string(), "");
}

#[test]
fn start_up_is_the_diff_from_nothing() {
    let diff = ConfigDiff::between(None, &config());
    assert_eq!(diff.to_string(), "entities.customer: added\nentities.order: added");
    assert!(diff.needs_restart.is_empty() && diff.settings.is_empty());
}

#[test]
fn settings_that_need_a_restart_are_named_apart_from_those_that_do_not() {
    let after = r#"
server = { listen = "", grace = "1s", hosts = ["h"], state_dir = "s" }
database = { url = "postgres://h/d", pool_size = 1 }
log = { level = "debug", format = "json" }
reload.watch = false
retention = { work = "1d", history = "1d", events = "1d" }
alerts = { command = "true", on = [] }
"#;
    assert_eq!(
        lines("", after),
        [
            "server.listen: changed, needs a restart",
            "server.hosts: changed, needs a restart",
            "server.state_dir: changed, needs a restart",
            "server.grace: changed, needs a restart",
            "database.url: changed, needs a restart",
            "database.pool_size: changed, needs a restart",
            "log.level: changed",
            "log.format: changed",
            "reload.watch: changed",
            "retention.work: changed",
            "retention.history: changed",
            "retention.events: changed",
            "alerts.command: changed",
            "alerts.on: changed",
        ]
    );
}

#[test]
fn entities_and_sources_that_come_go_and_change_are_named() {
    let after = r#"
[entities.customer]
merge_policy = "accept-all"
match = ["/email"]
throttle.rate = 5
arrays."/tags".set = true
[entities.customer.sources.crm]
command = "true crm2"
timeout = "1s"
env.TOKEN = "t"
[entities.customer.sources.office]
command = "true sales"
renamed_from = "sales"
[entities.customer.sources.ldap]
command = "true ldap"
[entities.invoice.sources.shop]
command = "true shop"
"#;
    assert_eq!(
        lines(BEFORE, after),
        [
            "entities.customer: throttle changed",
            "entities.customer: merge_policy changed",
            "entities.customer: arrays changed",
            "entities.customer: match changed",
            "entities.customer.sources.crm: command changed",
            "entities.customer.sources.crm: timeout changed",
            "entities.customer.sources.crm: env changed",
            "entities.customer.sources.ldap: added",
            "entities.customer.sources.office: added, renamed from sales",
            "entities.customer.sources.sales: removed",
            "entities.invoice: added",
            "entities.order: removed",
        ]
    );
}

#[test]
fn a_changed_source_leaves_its_sibling_alone() {
    let old = config();
    let new = Home::with(BEFORE.replace("true crm", "true other")).config();
    let mut diff = ConfigDiff::between(Some(&old), &new);
    let customer = diff.entities.remove(&"customer".parse().expect("a name")).expect("it changed");
    let EntityChange::Changed(customer) = customer else { panic!("{customer:?} is no change") };
    let crm = &customer.sources[&"crm".parse().expect("a name")];
    let SourceChange::Changed { settings, new } = crm else { panic!("{crm:?} is no change") };
    // Both files stand in directories of their own, in which their programs run.
    assert_eq!(settings, &["command", "directory"]);
    assert_eq!(new.commands.read.args[0], "other");
}

#[test]
fn an_operation_that_changes_alone_is_named() {
    let after = BEFORE.replace("\"true crm\"", "\"true crm\"\nread = \"true read\"\nlist = \"true list\"");
    assert_eq!(
        lines(BEFORE, &after),
        ["entities.customer.sources.crm: read changed", "entities.customer.sources.crm: list changed"]
    );
}
