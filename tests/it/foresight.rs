//! Which updates are begun with their decision: those whose turn at the source is near.

use std::time::{Duration, Instant};

use crate::support::actors::Actors;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::{key, rows, source};
use crate::support::system::Language;
use crate::support::wait::until;
use retcon::store::requests::queue::Notification;

/// How long a visit must have been going on to count as one that hangs, twice.
const LONG: Duration = Duration::from_millis(100);

/// Holds up the runs for this record until a file of the system says that they may go on.
fn hold(site: &Site, system: &str, operation: &str, record: u32) {
    let shell = format!(
        "[ \"$RETCON_INTERNAL_KEY\" = {record} ] && while [ ! -e \"$system/go-{operation}\" ]; do sleep 0.01; done"
    );
    site.system(system).fault(operation, &shell);
}

fn let_go(site: &Site, system: &str, operation: &str) {
    site.system(system).set(&format!("go-{operation}"));
}

#[track_caller]
fn wait_for_run(site: &Site, system: &str, operation: &str, record: &str) {
    let has_begun = || {
        site.runs()
            .started()
            .any(|run| (&*run.source, &*run.operation, &*run.internal_key) == (system, operation, record))
    };
    until(|| has_begun().then_some(()), || format!("{:#?}", site.runs()));
}

#[test]
fn an_update_that_comes_behind_a_visit_that_hangs_is_not_begun_with_its_decision() {
    let fresh = "recheck = \"1h\"";
    let site = Site::new(&["crm", "erp"].map(|name| Language::C.source(name).with(fresh)));
    let actors = Actors::start(&site);
    let edit = |item: &str, name: &str| {
        site.system("crm").put(item, &format!("{{\"item\":{item:?},\"name\":{name:?}}}"));
        actors.notify(&Notification {
            entity: crate::support::store::customer(),
            source: source("crm"),
            key: key(item),
        });
    };
    for item in ["1", "2"] {
        edit(item, "Ann");
        actors.wait_until_at_rest();
    }

    // The second record's look has read the one copy, and reads the other, when the update of the first begins.
    hold(&site, "erp", "read", 1);
    hold(&site, "crm", "read", 2);
    hold(&site, "erp", "update", 1);
    edit("1", "Bea");
    wait_for_run(&site, "erp", "read", "1");
    edit("2", "Bea");
    wait_for_run(&site, "crm", "read", "2");
    let_go(&site, "erp", "read");
    wait_for_run(&site, "erp", "update", "1");
    let began = Instant::now();
    until(|| (began.elapsed() > LONG).then_some(()), || "time stands still".to_owned());
    let_go(&site, "crm", "read");
    let decided = || {
        block_on(rows(
            site.database(),
            "select may_have_taken_effect from operation where record = 2 and state = 'in-flight'",
        ))
    };
    let begun = until(|| decided().pop(), || format!("{:#?}", site.runs()));
    assert_eq!(begun, "f", "a crash now leaves no doubt about it");

    let_go(&site, "erp", "update");
    actors.wait_until_at_rest();
    assert_eq!(site.system("erp").documents(), site.system("crm").documents());
    actors.stop();
}
