//! Programs that go, flap, print nonsense or are slow: nobody deletes for it, nothing is done twice, and nobody else waits.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::testing;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const BEA: &str = r#"{"email":"x","name":"Bea"}"#;
const SOURCES: [&str; 2] = ["billing", "crm"];

/// Puts Ann into crm and waits until billing has her; gives her key there.
#[track_caller]
fn introduce(site: &Site) -> String {
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [ANN]);
    site.system("billing").only_key()
}

#[track_caller]
fn expect_everywhere(site: &Site, document: &str) {
    for source in SOURCES {
        assert_eq!(site.system(source).documents(), [document], "in {source}: {:#?}", site.runs());
    }
}

#[track_caller]
fn expect_no_deletion(site: &Site) {
    for source in SOURCES {
        assert_eq!(site.runs().count(source, "delete"), 0, "{:#?}", site.runs());
    }
}

/// What becomes of a program while its daemon runs.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Gone,
    NotExecutable,
    ADirectory,
    NoProgram,
}

/// The program of billing, which a test takes away and brings back: a link to what runs and records it.
struct Program(PathBuf);

impl Program {
    fn bring(&self) {
        let fresh = self.0.with_extension("new");
        symlink(testing("sources/recorder.sh"), &fresh).expect("a link");
        if self.0.is_dir() && !self.0.is_symlink() {
            fs::remove_dir(&self.0).expect("it is empty");
        }
        fs::rename(fresh, &self.0).expect("a link");
    }

    fn take(&self, loss: Loss) {
        fs::remove_file(&self.0).expect("it was there");
        let write = |text: &[u8], mode| {
            fs::write(&self.0, text).expect("a file");
            fs::set_permissions(&self.0, Permissions::from_mode(mode)).expect("it is ours");
        };
        match loss {
            Loss::Gone => {}
            Loss::NotExecutable => write(b"#!/bin/sh\nexit 2\n", 0o644),
            Loss::ADirectory => fs::create_dir(&self.0).expect("a directory"),
            Loss::NoProgram => write(b"exit 2\n", 0o755),
        }
    }
}

/// A site whose billing runs by a link of its own.
fn with_program(site: &Site) -> Program {
    let program = Program(site.path().join("billing-source"));
    let recorder = testing("sources/recorder.sh");
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let (of_others, of_billing) = config.split_once("[entities.customer.sources.billing]").expect("it is configured");
    let of_billing = of_billing.replacen(&format!("{recorder:?}"), "\"./billing-source\"", 1);
    site.write("retcon.toml", &format!("{of_others}[entities.customer.sources.billing]{of_billing}"));
    program.bring();
    program
}

#[rstest]
fn a_program_that_goes_while_the_daemon_runs_deletes_nothing_and_is_made_up_for(
    #[values(Loss::Gone, Loss::NotExecutable, Loss::ADirectory, Loss::NoProgram)] loss: Loss,
    #[values("read", "update")] at: &str,
) {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing").with("recheck = \"1h\"")]);
    let program = with_program(&site);
    let daemon = site.start();
    introduce(&site);
    site.system("crm").put("a", BEA);
    match at {
        "read" => program.take(loss),
        // Billing has been read when crm is, or is taken away before: then this is the case above.
        _ => {
            let held = ": > \"$system/begun\"; until [ -e \"$system/go\" ]; do sleep 0.01; done\n";
            site.system("crm").fault("read", held);
        }
    }
    let before = site.runs().count("billing", "read");
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    if at == "update" {
        until(|| (site.runs().count("billing", "read") > before).then_some(()), || daemon.log_text());
        program.take(loss);
        site.system("crm").set("go");
    }
    let not_started = |event: &serde_json::Value| {
        event["msg"] == "source program not started" && event["source"] == "billing" && event["operation"] == at
    };
    daemon.wait_for_event(not_started);
    assert_eq!(site.system("billing").documents(), [ANN]);
    assert_eq!(site.system("crm").documents(), [BEA]);

    program.bring();
    site.system("crm").heal();
    site.notify("crm", "a");
    site.wait_until_at_rest();
    expect_everywhere(&site, BEA);
    expect_no_deletion(&site);
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("crm", "update")), (1, 0));
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 0);
    daemon.stop();
}

#[test]
fn a_program_replaced_by_another_is_run_from_the_next_moment_on() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let program = with_program(&site);
    let daemon = site.start();
    introduce(&site);
    // The new one is run through another link, and takes its time to say so.
    let other = site.write("other-source", "#!/bin/sh\n: > \"$1/other\"\nexec \"$0-of-old\" \"$@\"\n");
    fs::set_permissions(&other, Permissions::from_mode(0o755)).expect("it is ours");
    symlink(testing("sources/recorder.sh"), site.path().join("billing-source-of-old")).expect("a link");
    fs::rename(&other, &program.0).expect("it is replaced");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    expect_everywhere(&site, BEA);
    assert!(site.system("billing").dir().join("other").exists());
    daemon.stop();
}

/// Fails with these statuses in turn, at each run of an operation anew; 0: it is run.
fn flap(statuses: &[u8]) -> String {
    let cases: Vec<String> = statuses.iter().enumerate().map(|(n, status)| format!("{n}) s={status} ;;")).collect();
    format!(
        "f=\"$system/flaps.$RETCON_OPERATION\"; n=$(cat \"$f\" 2>/dev/null || echo 0); echo $((n + 1)) > \"$f\"\n\
         case $((n % {})) in {} esac\n[ $s = 0 ] || exit $s\n",
        statuses.len(),
        cases.join(" ")
    )
}

#[rstest]
#[case::there_every_other_time(&[1, 0])]
#[case::there_every_third_time(&[1, 1, 0])]
#[case::broken_or_away_or_there(&[3, 1, 0, 9])]
fn a_source_that_flaps_deletes_nothing_and_is_brought_in_step(#[case] statuses: &[u8]) {
    let site = Site::new(&SOURCES.map(|name| Sh.source(name)));
    let daemon = site.start();
    introduce(&site);
    site.system("billing").fault("read", &flap(statuses));
    site.system("billing").fault("update", &flap(statuses));
    for number in 0..10 {
        site.system("crm").put("a", &format!(r#"{{"email":"{number}","name":"Ann"}}"#));
        let told = site.runs().count("billing", "read");
        site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
        until(|| (site.runs().count("billing", "read") > told).then_some(()), || daemon.log_text());
    }
    site.system("billing").heal();
    site.notify("crm", "a");
    site.wait_until_at_rest();
    expect_everywhere(&site, r#"{"email":"9","name":"Ann"}"#);
    expect_no_deletion(&site);
    assert_eq!(site.runs().count("crm", "update"), 0, "billing's old values are no edits: {:#?}", site.runs());
    assert_eq!(site.get("/v1/conflicts")["items"].as_array().map(Vec::len), Some(0));
    site.runs().assert_none_meet();
    daemon.stop();
}

#[rstest]
#[case::missing_once(&[2, 0, 0])]
#[case::missing_away_or_there(&[1, 2, 0])]
fn a_copy_that_is_missing_at_times_is_no_second_copy_in_the_end(#[case] statuses: &[u8]) {
    let site = Site::new(&SOURCES.map(|name| Sh.source(name)));
    let daemon = site.start();
    let key = introduce(&site);
    site.system("billing").fault("read", &flap(statuses));
    for _ in 0..6 {
        let told = site.runs().count("billing", "read");
        site.retcon(&["notify", "customer", "billing", &key]).exits(0);
        until(|| (site.runs().count("billing", "read") > told).then_some(()), || daemon.log_text());
    }
    site.system("billing").heal();
    // Unchanged, what shows again right after its deletion would be taken for an old answer for a while.
    site.system("billing").put(&key, BEA);
    site.notify("billing", &key);
    site.wait_until_at_rest();
    expect_everywhere(&site, BEA);
    let records = site.get("/v1/records/customer");
    let live = records["items"].as_array().expect("a list").iter().filter(|record| record["state"] == "live").count();
    assert_eq!(live, 1, "{records}");
    // Each deletion had its own reading that said missing, and each creation a deletion before it.
    let runs = site.runs();
    let missing =
        runs.0.iter().filter(|run| run.source == "billing" && run.end == crate::support::runs::RunEnd::Ended(2));
    assert!(runs.count("crm", "delete") <= missing.count(), "{runs:#?}");
    assert_eq!(runs.count("crm", "create"), runs.count("crm", "delete"), "{runs:#?}");
    assert_eq!(runs.count("billing", "create"), 1, "{runs:#?}");
    runs.assert_none_meet();
    daemon.stop();
}

#[rstest]
#[case::nothing_good("{\"half\": ")]
#[case::two_lines("sh-1\\nsh-2\\n")]
#[case::byte_order_mark("\\357\\273\\277sh-1\\n")]
#[case::nul("sh\\0001\\n")]
#[case::no_text("\\377\\n")]
#[case::lone_surrogate("\\355\\240\\200\\n")]
fn a_write_that_took_effect_and_prints_no_key_is_not_repeated(
    #[case] printed: &str,
    #[values("create", "update")] operation: &str,
) {
    let site = Site::new(&SOURCES.map(|name| Sh.source(name)));
    let daemon = site.start();
    let prints = format!("\"$@\" > /dev/null; printf '{printed}'; exit 0\n");
    site.system("billing").fault(operation, &prints);
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    let key = site.system("billing").only_key();
    if operation == "update" {
        site.system("crm").put("a", BEA);
        site.notify("crm", "a");
    }
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 1);
    site.notify("crm", "a");
    site.system("billing").heal();
    // The source tells of the copy, and what is read settles the doubt.
    site.notify("billing", &key);
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 0);
    assert_eq!((site.runs().count("billing", "create"), site.system("billing").items().len()), (1, 1));
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    expect_everywhere(&site, ANN);
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[test]
fn what_a_delete_prints_means_nothing() {
    let site = Site::new(&SOURCES.map(|name| Sh.source(name)));
    let daemon = site.start();
    introduce(&site);
    site.system("billing").fault("delete", "\"$@\"; printf '\\377\\0{\"half\"'; exit 0\n");
    site.system("crm").remove("a");
    site.notify("crm", "a");
    site.wait_until_at_rest();
    assert!(site.system("billing").items().is_empty());
    assert_eq!(site.runs().count("billing", "delete"), 1);
    assert_eq!(site.get("/v1/records/customer/1")["state"], "deleted");
    daemon.stop();
}

/// Adds a second entity whose systems are in a directory of their own, so that its records are no others.
fn add_products(site: &Site, specs: &[crate::support::system::SourceSpec]) {
    let mut config = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    config += "[entities.product]\n";
    for spec in specs {
        config += &spec.table_in("products", "product");
        for inside in ["items", "faults"] {
            fs::create_dir_all(products(site, &spec.name).join(inside)).expect("a directory");
        }
    }
    site.write("retcon.toml", &config);
}

fn products(site: &Site, source: &str) -> PathBuf {
    Path::new(site.path()).join("products").join(source)
}

#[test]
fn a_slow_source_makes_no_other_entity_wait() {
    let site = Site::new(&SOURCES.map(|name| Sh.source(name)));
    add_products(&site, &[Sh.source("shop"), Sh.source("erp")]);
    let hold = "until [ -e \"$system/go\" ]; do sleep 0.05; done\n";
    fs::write(products(&site, "erp").join("faults/create"), hold).expect("a file");
    let daemon = site.start();
    for number in 0..20 {
        fs::write(products(&site, "shop").join(format!("items/{number}.json")), BEA).expect("a file");
        site.retcon(&["notify", "product", "shop", &number.to_string()]).exits(0);
    }
    for number in 0..20 {
        let key = number.to_string();
        site.system("crm").put(&key, ANN);
        site.notify("crm", &key);
    }
    assert_eq!(site.system("billing").documents().len(), 20);
    let created = || fs::read_dir(products(&site, "erp").join("items")).expect("the items").count();
    assert_eq!(created(), 0, "not one of the slow ones is done");
    fs::write(products(&site, "erp").join("go"), "").expect("a file");
    until(|| (created() == 20).then_some(()), || daemon.log_text());
    daemon.stop();
}
