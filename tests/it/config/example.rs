//! config/retcon.example.toml.

use std::path::PathBuf;
use std::time::Duration;

use retcon::config::model::{Command, DatabaseUrl, Mode, ReadBack, Severity};
use retcon::domain::rules::{ArrayRule, MergePolicy};

use super::{Home, entity, source};

const EXAMPLE: &str = include_str!("../../../config/retcon.example.toml");

#[test]
fn an_empty_file_is_the_defaults_and_the_example_states_them() {
    let mut empty = Home::with("").config();
    let mut example = Home::with(EXAMPLE).config();
    // What rests on where the file is.
    for config in [&mut empty, &mut example] {
        (config.server.state_dir, config.alerts.directory) = (PathBuf::new(), PathBuf::new());
    }
    assert_eq!(example, empty);
    assert_eq!(empty.server.listen, "127.0.0.1:8470".parse().ok());
    assert_eq!((empty.database.url, empty.database.pool_size), (DatabaseUrl::Embedded, 8));
    assert_eq!((empty.log.level, empty.reload.watch), (Severity::Info, true));
    assert_eq!((empty.retention.work, empty.retention.history), (Some(Duration::from_secs(604_800)), None));
    assert_eq!((empty.alerts.command.len(), empty.alerts.on.len()), (0, 6));
}

/// Returns the example with its comments taken away, but for the second form of what may be written in two.
pub(super) fn active_example() -> String {
    EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line))
        .filter(|line| !line.starts_with("tls = { cert"))
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_example_made_active_is_a_good_file_whose_entity_has_the_defaults_that_it_states() {
    let home = Home::with(active_example()).file("crm.py", "", 0o755).file("billing.sh", "", 0o755);
    assert_eq!(home.warnings(), Vec::<String>::new());
    let config = home.config();
    let customer = entity(&config, "customer");
    let least = r#"[entities.customer.sources.crm]
        command = "./crm.py"
        [entities.customer.sources.billing]
        command = "./billing.sh""#;
    let least = Home::with(least).file("crm.py", "", 0o755).file("billing.sh", "", 0o755).config();
    let least = entity(&least, "customer");

    let mut as_least = (*customer).clone();
    as_least.rules.fields.clear();
    as_least.rules.arrays.clear();
    as_least.sources = least.sources.clone();
    assert_eq!(as_least, *least);

    let crm = source(&config, "customer", "crm");
    assert_eq!(crm.commands.update, Some(Command { program: home.path("crm.py"), args: vec!["update".to_owned()] }));
    assert_eq!((crm.commands.list.as_ref(), crm.directory.as_path()), (None, home.directory.path()));
    assert_eq!((crm.timeout, crm.read_back), (Duration::from_secs(30), ReadBack::Auto));
    assert_eq!(crm.env["CRM_URL"], "https://crm.example.com");
    let billing = source(&config, "customer", "billing");
    let arguments = ["update", "--", "%fk"].map(str::to_owned).to_vec();
    assert_eq!(billing.commands.update, Some(Command { program: home.path("billing.sh"), args: arguments }));
    assert_eq!(
        customer.rules.fields[&"/email".parse().expect("a pointer")].merge_policy,
        Some(MergePolicy::TrustOnly("crm".parse().expect("a name")))
    );
    assert_eq!(customer.rules.arrays[&"/tags".parse().expect("a pointer")], ArrayRule::Set);
    assert_eq!((customer.mode, customer.reconcile.every), (Mode::Sync, None));
}
