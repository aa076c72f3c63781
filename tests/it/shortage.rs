//! A machine that has no descriptors left: nothing is done, nothing is parked, and it goes on when there are some again.

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;

/// Lets the daemon open nothing above this number from now on; what it has open stays so. Gives what was allowed before.
fn allow_descriptors(daemon: &Daemon<'_>, below: Option<u64>) -> Rlimit {
    // The hard limit, which only root may raise, is the one that it has from us.
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(daemon.pid()), Resource::Nofile, Rlimit { current: below, maximum }).expect("the daemon is ours")
}

#[test]
fn work_waits_while_no_descriptor_is_left_and_spends_no_attempts() {
    let site = Site::with(
        "retry = { first = \"20ms\", max = \"50ms\", attempts = 2 }",
        &[Sh.source("crm"), Sh.source("billing")],
    );
    let held = ": > \"$system/begun\"; until [ -e \"$system/go\" ]; do sleep 0.01; done\n";
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    // A look that has read, and is about to create, when the shortage begins.
    site.system("crm").fault("read.after", held);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("crm").dir().join("begun").exists().then_some(()), || daemon.log_text());
    let before = allow_descriptors(&daemon, Some(8));
    site.write("systems/crm/go", "");
    let down = daemon.wait_for_event(|event| event["msg"] == "source down" && event["source"] == "billing");
    assert!(down["error"].as_str().is_some_and(|error| error.contains("Too many open files")), "{down}");
    allow_descriptors(&daemon, before.current);
    site.system("crm").heal();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [ANN]);
    assert_eq!(site.runs().count("billing", "create"), 1);
    let work = site.get("/v1/work-items?state=done");
    assert_eq!(work["items"][0]["attempts"], 0, "{work}");
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 0);
    daemon.stop();
}
