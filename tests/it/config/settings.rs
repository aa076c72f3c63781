//! Settings that have to fit each other, the file system or the machine.

use std::time::Duration;

use retcon::config::model::Mode;
use retcon::domain::rules::MergePolicy;

use super::{Home, entity, errors, source};

/// An entity with two good sources and more.
fn customer(more: &str) -> String {
    format!("[entities.customer]\nsources.a.read = 'true'\nsources.b.read = 'true'\n{more}\n")
}

#[test]
fn listen_is_an_address_or_a_name_or_nothing() {
    let listen = |text: &str| Home::with(format!("server.listen = '{text}'")).config().server.listen;
    assert_eq!(listen(""), None);
    assert_eq!(listen("0.0.0.0:80"), "0.0.0.0:80".parse().ok());
    assert_eq!(listen("[::1]:0"), "[::1]:0".parse().ok());
    assert!(listen("localhost:8470").is_some_and(|address| address.ip().is_loopback() && address.port() == 8470));
    for wrong in
        ["8470", ":8470", "localhost", "localhost:x", "localhost:70000", "http://localhost:1", "::1:80", "a b:1"]
    {
        let errors = errors(&format!("server.listen = '{wrong}'"));
        assert!(errors[0].contains("server.listen: expected HOST:PORT"), "{wrong}: {errors:?}");
    }
    let unknown = errors("server.listen = 'no-such-host.invalid:1'");
    assert!(unknown[0].starts_with("retcon.toml:1:17: server.listen: cannot resolve"), "{unknown:?}");
}

#[test]
fn a_socket_whose_path_would_be_too_long_is_refused() {
    let long = format!("/{}", "x".repeat(90));
    let of = |database: &str| format!("server.state_dir = '{long}'\n{database}\n");
    let errors = errors(&of(""));
    assert!(errors[0].contains("server.state_dir: the path of a unix socket is at most 107 bytes long"), "{errors:?}");
    assert!(errors[0].contains("pg/sock/.s.PGSQL.5432 is 6 too long"), "{errors:?}");
    Home::with(of("database.url = 'postgres://h/d'")).config();
    let longer = format!("server.state_dir = '/{}'\ndatabase.url = 'postgres://h/d'", "x".repeat(96));
    assert!(super::errors(&longer)[0].contains("retcon.sock is 2 too long"));
}

#[test]
fn paths_are_relative_to_the_file() {
    let home = Home::with("server.state_dir = './s/../t'\n[server.tls]\ncert = 'c.pem'\nkey = './k.pem'\n");
    assert_eq!(home.errors().len(), 2);
    let home = home.file("c.pem", "", 0o600).file("k.pem", "", 0o600);
    let server = home.config().server;
    assert_eq!(server.state_dir, home.path("s/../t"));
    assert_eq!(server.socket(), home.path("s/../t/retcon.sock"));
    assert_eq!(server.tls.map(|tls| (tls.cert, tls.key)), Some((home.path("c.pem"), home.path("k.pem"))));
}

#[test]
fn the_directory_of_postgresql_has_its_programs() {
    assert_eq!(
        errors("database.bin_dir = '/nowhere'"),
        [
            r#"retcon.toml:1:20: database.bin_dir: expected the directory of initdb and postgres, and initdb is not in "/nowhere""#
        ]
    );
    Home::with("database = { bin_dir = '/nowhere', url = 'postgres://h/d' }").config();
}

#[test]
fn a_database_url_is_one_that_can_be_connected_to() {
    for good in [
        "embedded",
        "postgres://h/d",
        "postgresql://u:p%40w@h1,h2:5433/d?sslmode=prefer",
        "postgres:///d?host=/run/postgresql",
    ] {
        Home::with(format!("database.url = '{good}'")).config();
    }
    for wrong in [
        "",
        "embeded",
        "host=h dbname=d",
        "postgres://",
        "postgres://h:x/d",
        "postgres://h/d?nonsense=1",
        "mysql://h/d",
    ] {
        assert_eq!(errors(&format!("database.url = '{wrong}'")).len(), 1, "{wrong}");
    }
}

#[test]
fn whole_numbers_may_stand_for_numbers_and_zero_for_never() {
    let more =
        "throttle.rate = 2\nreconcile = { every = '0s', mode = 'observe' }\nmax_deletes.count = 0\ndelete_after = '0s'";
    let customer = entity(&Home::with(customer(more)).config(), "customer");
    assert_eq!((customer.throttle.rate, customer.max_deletes.count), (2.0, 0));
    assert_eq!((customer.reconcile.every, customer.reconcile.mode), (None, Mode::Observe));
    assert_eq!(customer.max_deletes.per, Duration::from_secs(3_600));
}

#[test]
fn bounds_are_kept() {
    for (line, key) in [
        ("throttle.rate = -1", "throttle.rate"),
        ("throttle.burst = 0", "throttle.burst"),
        ("throttle.in_flight = 0", "throttle.in_flight"),
        ("retry.attempts = 0", "retry.attempts"),
        ("retry.first = '0s'", "retry.first"),
        ("retry.max = '500ms'", "retry.max"),
        ("sources.a.timeout = '0s'", "sources.a.timeout"),
        ("sources.a.timeout = '99999999999999999d'", "sources.a.timeout"),
        ("max_changes.per = '0s'", "max_changes.per"),
        ("delete_after = 'forever'", "delete_after"),
    ] {
        let errors = errors(&customer(line));
        assert_eq!(errors.len(), 1, "{line}: {errors:?}");
        assert!(errors[0].contains(&format!(" entities.customer.{key}: ")), "{line}: {errors:?}");
    }
}

#[test]
fn policies_name_sources_of_their_entity() {
    let more = "merge_policy = 'prefer:b,a'\nfields.'/x'.merge_policy = 'trust-only:a'";
    let rules = &entity(&Home::with(customer(more)).config(), "customer").rules;
    assert_eq!(rules.merge_policy, MergePolicy::Prefer(["b", "a"].map(|name| name.parse().expect("a name")).to_vec()));
    let more = "merge_policy = 'prefer:b,c'\nfields.'/x'.merge_policy = 'trust-olny:a'\nfields.'/y'.merge_policy = 'trust-only:A'";
    let errors = errors(&customer(more));
    assert!(errors[0].contains(r#"merge_policy: the entity has no source "c""#), "{errors:?}");
    assert!(errors[1].ends_with(r#"found "trust-olny:a", did you mean "trust-only"?"#), "{errors:?}");
    assert!(
        errors[2].contains(r#"fields."/y".merge_policy: the entity has no source "A", did you mean "a"?"#),
        "{errors:?}"
    );
}

#[test]
fn an_array_has_a_key_or_is_a_set() {
    let errors = errors(&customer("arrays.'/x' = {}\narrays.'/y' = { key = 'k', set = true }\narrays.'/z'.key = ''"));
    assert!(errors[0].ends_with("expected either key or set = true, found neither"), "{errors:?}");
    assert!(errors[1].ends_with("expected either key or set = true, found both"), "{errors:?}");
    assert!(errors[2].ends_with("expected the name of a member, found \"\""), "{errors:?}");
    assert_eq!(errors.len(), 3);
}

#[test]
fn a_former_name_is_no_longer_in_use() {
    let renamed = |from: &str| customer(&format!("sources.a.renamed_from = '{from}'\nsources.b.renamed_from = 'old'"));
    let home = Home::with(renamed("older"));
    assert_eq!(source(&home.config(), "customer", "a").renamed_from, "older".parse().ok());
    assert!(errors(&renamed("b"))[0].contains("sources.a.renamed_from: the entity still has a source \"b\""));
    assert!(errors(&renamed("old"))[0].contains("sources.b.renamed_from: \"old\" has been renamed to \"a\" already"));
}

#[test]
fn a_schema_is_json_and_a_json_schema_and_nothing_is_fetched_for_it() {
    let home = |text: &str| Home::with(customer("schema = 's.json'")).file("s.json", text, 0o600);
    let good = entity(&home(r#"{"type": "object", "maxProperties": 10}"#).config(), "customer");
    assert_eq!(good.schema.as_ref().map(|schema| schema.value["type"].clone()), Some("object".into()));
    for wrong in [
        "{",
        "{\"type\": \"objekt\"}",
        "3",
        "{\"$ref\": \"http://127.0.0.1:1/x\"}",
        "{\"$ref\": \"file:///etc/passwd\"}",
    ] {
        let errors = home(wrong).errors();
        assert!(
            errors[0].starts_with("retcon.toml:4:10: entities.customer.schema: cannot use \"s.json\" as a JSON Schema"),
            "{errors:?}"
        );
    }
    assert!(errors(&customer("schema = 's.json'"))[0].contains("No such file"));
}

#[test]
fn two_entities_may_differ_in_case_alone_and_one_source_is_doubtful() {
    let home =
        Home::with("[entities.A.sources.s]\nread = 'true'\n[entities.a.sources]\ns.read = 'true'\nS.read = 'true'\n");
    assert_eq!(home.config().entities.len(), 2);
    let alone = "retcon.toml:1:21: entities.A.sources.s: the entity has this source alone: there is nothing to keep in step with";
    assert!(home.warnings().contains(&alone.to_owned()), "{:?}", home.warnings());
}
