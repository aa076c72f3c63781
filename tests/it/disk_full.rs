//! A database server whose disk is full: nothing is begun, nothing is lost, and it goes on when there is room again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use crate::support::cluster::Node;
use crate::support::site::Site;
use crate::support::system::Language::C;
use crate::support::wait::until;

/// How often the runs are looked at, without a change, until nothing can be under way any more.
const LOOKS: usize = 200;

/// Fills a disk to its last byte, and gives what fills it.
fn fill(node: &Node) -> PathBuf {
    let path = node.disk().join("filler");
    let mut file = File::create(&path).expect("there is room yet");
    for size in [1 << 20, 4096, 1] {
        let bytes = vec![0; size];
        while file.write_all(&bytes).is_ok() {}
    }
    path
}

struct Full {
    site: Site,
    node: Node,
}

impl Full {
    fn body(key: &str) -> String {
        format!("{{\"entity\":\"customer\",\"source\":\"crm\",\"key\":{key:?}}}")
    }

    /// Makes an item and tells of it; gives the status of the answer.
    fn tell(&self, key: &str) -> u16 {
        self.site.system("crm").put(key, &format!("{{\"name\":{key:?}}}"));
        self.site.http("POST", "/v1/notifications", Some(&Self::body(key))).status
    }

    /// Waits until no program runs any more, and gives the number of runs so far.
    fn wait_for_silence(&self) -> usize {
        let (mut runs, mut looks) = (0, 0);
        until(
            || {
                let now = self.site.runs().0.len();
                (runs, looks) = if now == runs { (runs, looks + 1) } else { (now, 0) };
                (looks > LOOKS).then_some(runs)
            },
            || format!("{:#?}", self.site.runs()),
        )
    }

    /// Waits until the server has been asked for room in vain so many times.
    fn wait_for_questions(&self, number: usize) {
        let count = || self.node.log().matches("generate_series(1, 2000)").count();
        until(|| (count() >= number).then_some(()), || self.node.log());
    }
}

#[test]
fn nothing_is_begun_while_the_databases_disk_is_full_and_nothing_is_lost() {
    let Some(mut node) = Node::on_small_disk("90m") else {
        // Said on the screen by whoever tried.
        return;
    };
    node.start(&["max_wal_size=1GB", "autovacuum=off"]);
    let site = Site::new(&[C.source("crm"), C.source("billing")]);
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let url = format!("postgres://retcon@{}/postgres", node.host());
    site.write("retcon.toml", &config.replace(&site.database().url(), &url));
    let full = Full { site, node };
    let site = &full.site;
    let daemon = site.start();
    assert_eq!(full.tell("first"), 202);
    site.wait_until_at_rest();

    let filler = fill(&full.node);
    let keys: Vec<_> = (0..5000).map(|number| format!("item{number}")).collect();
    let taken = keys.iter().take_while(|key| full.tell(key) == 202).count();
    assert!(taken < keys.len(), "the disk is not full");
    let away = until(
        || Some(site.get("/v1/status")["database"].clone()).filter(|database| database["state"] == "down"),
        || site.get("/v1/status").to_string(),
    );
    assert!(away["error"].as_str().is_some_and(|error| error.contains("disk full")), "{away}");
    let before = full.wait_for_silence();
    let refused =
        site.http("POST", "/v1/notifications", Some(&Full::body("first"))).has_problem(503, "store-unavailable");
    assert!(refused.head.to_lowercase().contains("\r\nretry-after: "), "{refused}");
    assert!(refused.body.contains("disk full") && refused.body.contains("SQLSTATE 53100"), "{refused}");
    let unready = site.http("GET", "/readyz", None).has_problem(503, "not-ready");
    assert!(unready.body.contains("disk full"), "{unready}");
    let status = site.retcon(&["status"]).exits(1);
    assert!(status.stdout().contains("disk full"), "{status}");
    let tree = site.retcon(&["tree"]).exits(0);
    assert!(tree.stdout().contains("disk full"), "{tree}");
    full.wait_for_questions(2);
    assert_eq!(site.runs().0.len(), before, "programs were run");

    fs::remove_file(filler).expect("it is ours");
    until(
        || (site.http("GET", "/readyz", None).status == 200).then_some(()),
        || site.http("GET", "/readyz", None).to_string(),
    );
    assert_eq!(full.tell(&keys[taken]), 202);
    site.wait_until_at_rest();
    let mut copies = site.system("billing").documents();
    copies.sort_unstable();
    let mut items = site.system("crm").documents();
    items.sort_unstable();
    assert_eq!(copies, items);
    assert_eq!(site.runs().count("billing", "create"), taken + 2, "made twice");
    let status = site.get("/v1/status");
    assert_eq!(status["entities"][0]["queue"]["parked"], 0, "{status}");
    assert_eq!(status["entities"][0]["in_doubt"], 0, "{status}");
    daemon.stop();
}
