//! The overview: how everything is, what waits for a person, and that it stays small however much there is.

use rustix::process::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::socket::{Answer, call};
use crate::support::system::Language::Sh;
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Sh.source("crm"), Sh.source("billing")])
}

#[track_caller]
fn overview(site: &Site, path: &str) -> Answer {
    site.http_with("GET", path, &[("Accept", "text/html")], None).has_status(200)
}

/// Waits until the overview says so.
#[track_caller]
fn says(site: &Site, text: &str) -> Answer {
    let found = || Some(overview(site, "/")).filter(|page| page.body.contains(text));
    until(found, || format!("{text:?} is not said: {}", overview(site, "/")))
}

#[test]
fn one_sentence_says_that_all_is_well_or_what_is_not() {
    let site = site();
    let daemon = site.start();
    let page = says(&site, "The one entity is in step.");
    assert!(page.body.contains("Nothing waits for you"), "{page}");
    site.disagree("1");
    let page = says(&site, ">1 conflict.<");
    assert!(page.body.contains("href=\"/conflicts/1\"") && page.body.contains("customer 1: name"), "{page}");
    assert!(page.body.contains("changed to different values"), "{page}");
    site.system("billing").fault_everywhere("echo no route to host >&2; exit 1");
    site.system("crm").put("2", r#"{"name": "Bob"}"#);
    site.retcon(&["notify", "customer", "crm", "2"]).exits(0);
    let page = says(&site, "1 conflict, billing unreachable for ");
    assert!(page.body.contains("href=\"/sources/customer/billing\""), "{page}");
    daemon.stop();
}

#[test]
fn an_entity_whose_queue_cannot_be_read_is_said_to_stand_still() {
    let site = site();
    let daemon = site.start();
    says(&site, "The one entity is in step.");
    site.database().run(
        "insert into work_item (entity, subject, source, foreign_key, command)
         values ('customer', 'copy', 'crm', 'k', '{\"no such order\": 1}')",
    );
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    let page = says(&site, "Customer stands still for ");
    assert!(page.body.contains("its queue cannot be read") && page.body.contains(">stands still<"), "{page}");
    site.database().run("delete from work_item where command is not null");
    says(&site, "The one entity is in step.");
    daemon.stop();
}

/// Runs a statement in a session of the database that lasts until this is dropped.
#[track_caller]
fn hold(site: &Site, statement: &str) -> (Client, Runtime) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let client = runtime.block_on(async {
        let (client, connection) = site.database().config().connect(NoTls).await.expect("it takes connections");
        tokio::spawn(connection);
        client.batch_execute(statement).await.expect(statement);
        client
    });
    (client, runtime)
}

#[test]
fn an_entity_that_nobody_serves_is_said_to_stand_still_and_one_that_another_daemon_serves_is_not() {
    let site = site();
    // Who holds this keeps the lease from changing hands.
    let held = hold(&site, "select pg_advisory_lock(1919251555, hashtext('customer'))");
    let mut daemon = Daemon::spawn(&site);
    until(|| call(&daemon.socket(), "GET", "/healthz", None).ok(), || daemon.log_text());
    let nobody = "Customer stands still for ";
    let page = says(&site, nobody);
    assert!(page.body.contains("(is served by nobody)") && page.body.contains(">stands still<"), "{page}");
    drop(held);
    daemon.wait_until_ready();
    says(&site, "The one entity is in step.");

    let mut other = Daemon::start_in(&site, "other");
    let page = call(&other.socket(), "GET", "/", None).expect("it answers").has_status(200);
    assert!(page.body.contains("The one entity is in step.") && page.body.contains(">served elsewhere<"), "{page}");
    other.signal(Signal::TERM);
    other.wait();
    daemon.stop();
}

#[test]
fn what_was_done_in_the_last_hour_is_drawn_and_said() {
    let site = site();
    let daemon = site.start();
    let page = overview(&site, "/");
    assert!(page.body.contains("no looks in the last hour"), "{page}");
    site.disagree("1");
    let page = says(&site, "customer 1 is in conflict");
    assert!(page.body.contains("looks in the last hour, at most") && page.body.contains("<svg"), "{page}");
    daemon.stop();
}

#[test]
fn a_file_with_a_mistake_is_told_of() {
    let site = site();
    let daemon = site.start();
    site.write("retcon.toml", "[entities.customer]\nmode = \"<b>\"\n");
    site.retcon(&["reload"]).exits(1);
    let page = says(&site, "The configuration file has mistakes.");
    assert!(page.body.contains("href=\"/configuration\"") && !page.body.contains("<b>\""), "{page}");
    daemon.stop();
}

#[test]
fn deletions_that_are_held_are_carried_out_by_a_form_that_acts_once() {
    let site = Site::with("max_deletes = { count = 1, per = \"1h\" }", &[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    for key in ["1", "2", "3"] {
        site.system("crm").put(key, &format!(r#"{{"name": "{key}"}}"#));
        site.notify("crm", key);
    }
    for key in ["1", "2", "3"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    let page = says(&site, "2 deletions held.");
    assert!(page.body.contains("href=\"/deletes?entity=customer\""), "{page}");
    let page = overview(&site, "/deletes?entity=customer");
    assert!(page.body.contains("Carry out all 2"), "{page}");
    let [once, last, counted] = ["once", "last", "counted"].map(|name| hidden(&page, name));
    let counted = format!("last={last}&counted={counted}");
    let send = |fields: &str| {
        let headers = [("Accept", "text/html"), ("Content-Type", "application/x-www-form-urlencoded")];
        site.http_with("POST", "/deletes/approve", &headers, Some(fields))
    };
    let refused = send("entity=customer").has_status(400);
    assert!(refused.body.contains("load its page anew"), "{refused}");
    for _ in 0..2 {
        let answer = send(&format!("once={once}&entity=customer&{counted}")).has_status(303);
        assert_eq!(answer.header("location"), Some("/deletes?entity=customer&done=approved-2"), "{answer}");
    }
    let other = send(&format!("once={once}&entity=supplier&{counted}")).has_status(422);
    assert!(other.body.contains("with other values"), "{other}");
    let page = overview(&site, "/deletes?entity=customer&done=approved-2");
    assert!(page.body.contains("No deletion is held") && page.body.contains("2 deletions are approved"), "{page}");
    site.wait_until_at_rest();
    assert!(site.system("billing").items().is_empty());
    let acts = site.get("/v1/audit");
    let approvals = acts["items"].as_array().into_iter().flatten().filter(|act| act["act"] == "approve").count();
    assert_eq!(approvals, 4, "every attempt is in the trail: {acts}");
    daemon.stop();
}

#[test]
fn the_parts_of_a_list_of_deletions_are_as_long_as_was_asked_for() {
    let site = Site::with("max_deletes = { count = 1, per = \"1h\" }", &[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    let keys = ["1", "2", "3", "4"];
    for key in keys {
        site.system("crm").put(key, &format!(r#"{{"name": "{key}"}}"#));
        site.notify("crm", key);
    }
    for key in keys {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    says(&site, "3 deletions held.");
    let mut path = "/deletes?entity=customer&limit=1".to_owned();
    let mut parts = 1;
    loop {
        let page = overview(&site, &path);
        assert_eq!(page.body.matches("href=\"/records/customer/").count(), 1, "{page}");
        let Some((before, _)) = page.body.split_once("\" rel=\"next\"") else { break };
        path = before.rsplit('"').next().unwrap_or_default().replace("&#38;", "&");
        assert!(path.starts_with("/deletes?entity=customer&limit=1&after="), "{path}");
        parts += 1;
    }
    assert_eq!(parts, 3);
    daemon.stop();
}

/// What a form of a page sends that nobody types.
#[track_caller]
fn hidden(page: &Answer, name: &str) -> String {
    let found = page.body.split_once(&format!("name=\"{name}\" value=\"")).and_then(|(_, rest)| rest.split_once('"'));
    found.map(|(value, _)| value.to_owned()).unwrap_or_else(|| panic!("no field {name}: {page}"))
}

#[test]
fn only_those_deletions_are_carried_out_that_were_counted_when_the_page_was_loaded() {
    let site = Site::with("max_deletes = { count = 1, per = \"1h\" }", &[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    let keys = ["1", "2", "3", "4", "5", "6", "7"];
    for key in keys {
        site.system("crm").put(key, &format!(r#"{{"name": "{key}"}}"#));
        site.notify("crm", key);
    }
    let go_missing = |keys: &[&str]| {
        for key in keys {
            site.system("crm").remove(key);
            site.notify("crm", key);
        }
    };
    go_missing(&keys[..4]);
    let page = overview(&site, "/deletes?entity=customer");
    assert!(page.body.contains("Carry out all 3"), "{page}");
    let [once, last, counted] = ["once", "last", "counted"].map(|name| hidden(&page, name));
    go_missing(&keys[4..]);
    let send = |once: &str, counted: &str| {
        let headers = [("Accept", "text/html"), ("Content-Type", "application/x-www-form-urlencoded")];
        let fields = format!("once={once}&entity=customer&last={last}&counted={counted}");
        let answer = site.http_with("POST", "/deletes/approve", &headers, Some(&fields)).has_status(303);
        answer.header("location").map(str::to_owned).unwrap_or_else(|| panic!("it leads nowhere: {answer}"))
    };
    // There are more up to that number than somebody says they have seen.
    let other = uuid::Uuid::new_v4().to_string();
    assert_eq!(send(&other, "2"), "/deletes?entity=customer&done=approved-0");
    assert_eq!(site.get("/v1/deletes")["items"].as_array().map(Vec::len), Some(6));
    let place = send(&once, &counted);
    assert_eq!(place, "/deletes?entity=customer&done=approved-3");
    let page = overview(&site, &place);
    assert!(page.body.contains("3 deletions are approved") && page.body.contains("and stays held"), "{page}");
    assert!(page.body.contains("Carry out all 3"), "{page}");
    site.wait_until_at_rest();
    let held = site.get("/v1/deletes");
    let held: Vec<_> = held["items"].as_array().into_iter().flatten().map(|held| &held["record"]).collect();
    assert_eq!(held, [5, 6, 7]);
    let mut left = site.system("billing").documents();
    left.sort_unstable();
    assert_eq!(left, ["5", "6", "7"].map(|key| format!(r#"{{"name":"{key}"}}"#)));
    daemon.stop();
}

/// A thousand entities with a hundred records each; every fortieth has a conflict.
const MANY: &str = "
    insert into entity (name, last_internal_key) select format('entity-%s', to_char(n, 'FM0000')), 100 from generate_series(0, 999) as n
    on conflict (name) do update set last_internal_key = 100;
    insert into record (entity, id, version, agreed)
    select format('entity-%s', to_char(n, 'FM0000')), id, 1, '{}'
    from generate_series(0, 999) as n, generate_series(1, 100) as id;
    insert into conflict (entity, record, path, path_hash, kind, contenders, contended)
    select format('entity-%s', to_char(n * 40, 'FM0000')), 1, '\"\"', '', 'held', '[]', '[]'
    from generate_series(0, 24) as n;
    analyze;
";

#[test]
fn a_thousand_entities_and_a_hundred_thousand_records_take_no_large_page() {
    let site = Site::empty();
    let source = |n: usize, name: &str| format!("[entities.entity-{n:04}.sources.{name}]\ncommand = [\"/bin/true\"]\n");
    let entities: String =
        (0..1000).flat_map(|n| ["billing", "crm", "warehouse"].map(|name| source(n, name))).collect();
    let head = "[server]\nlisten = \"\"\n\n[log]\nlevel = \"error\"\nformat = \"json\"\n\n";
    site.write("retcon.toml", &format!("{head}{}{entities}", site.database_table()));
    let daemon = site.start();
    site.database().run(MANY);
    let page = says(&site, "25 conflicts.");
    assert!(page.body.len() < 100 * 1024, "{} bytes", page.body.len());
    assert!(page.body.contains("And 963 more in step: show all"), "{page}");
    let part = overview(&site, "/?entities=20");
    assert!(part.body.len() < 100 * 1024, "{} bytes", part.body.len());
    assert!(part.body.contains("entity-0999") && !part.body.contains("rel=\"next\""), "{part}");
    if std::env::var("CI_LONG").is_ok_and(|long| long == "1") {
        let mut times: Vec<_> = (0..20)
            .map(|_| {
                let began = std::time::Instant::now();
                overview(&site, "/");
                began.elapsed()
            })
            .collect();
        times.sort();
        println!("the overview of 1,000 entities: {} bytes, median {:.1?} of 20", page.body.len(), times[10]);
    }
    daemon.stop();
}
