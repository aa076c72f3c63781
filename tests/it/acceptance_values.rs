//! Documents arrive by value, whatever they hold, and keys are data, whatever they look like.

use rstest::rstest;

use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::Language::{C, Python, Sh};
use crate::support::system::json;

/// Compares two documents by value with a parser that is not ours: numbers as exact decimals.
#[track_caller]
fn assert_same_value(one: &str, other: &str) {
    const COMPARE: &str = "\
import decimal, json, sys
one, other = (json.loads(text, parse_int=decimal.Decimal, parse_float=decimal.Decimal) for text in sys.argv[1:])
sys.exit(one != other)";
    run(program("python3").args(["-c", COMPARE, one, other]), b"").exits(0);
}

#[rstest]
#[case::digits(r#"{"amount":12345678901234567890.10}"#, "12345678901234567890.10")]
#[case::beyond_any_float(r#"{"n":1e400,"m":-0.1e-4000,"k":1e999999999}"#, "1")]
#[case::nul(r#"{"nul":"a\u0000b"}"#, "\\u0000")]
#[case::emoji(r#"{"face":"😀","escaped":"\ud83d\ude00"}"#, "face")]
#[case::lone_surrogate(r#"{"lone":"\ud800"}"#, "\\ud800")]
#[case::slashes_and_tildes(r#"{"a/b~c":{"~1":1,"":2},"/":3}"#, "a/b~c")]
#[case::reserved_number(r#"{"$serde_json::private::Number":"12"}"#, "$serde_json::private::Number")]
#[case::reserved_raw(r#"{"$serde_json::private::RawValue":"[1]"}"#, "$serde_json::private::RawValue")]
#[case::deep(&format!(r#"{{"deep":{}{}}}"#, "[".repeat(126), "]".repeat(126)), "deep")]
#[case::null_is_not_absent(r#"{"a":null,"b":[],"c":{}}"#, "null")]
fn a_document_arrives_by_value(#[case] document: &str, #[case] spelling: &str) {
    let site = Site::new(&[Sh.source("crm"), Python.source("billing"), C.source("shop")]);
    let daemon = site.start();
    site.system("crm").put("1", document);
    site.notify("crm", "1");
    for source in ["billing", "shop"] {
        let system = site.system(source);
        let arrived = system.get(&system.only_key()).expect("it is there");
        assert_same_value(&arrived, document);
        assert_eq!(json(&arrived), json(document), "digit for digit");
        assert!(arrived.contains(spelling), "{spelling:?} is not in {arrived:?}");
        assert_eq!(arrived.lines().count(), 1, "one line: {arrived:?}");
    }
    let record = site.http("GET", "/v1/records/customer/1", None).has_status(200);
    assert!(record.body.contains(spelling), "{record}");
    let before = site.runs().0.len();
    site.notify("shop", &site.system("shop").only_key());
    let after = site.runs();
    assert!(after.0[before..].iter().all(|run| run.operation == "read"), "nothing is left to do: {after:#?}");
    daemon.stop();
}

#[rstest]
#[case::member_twice(r#"{"a":1,"a":1}"#)]
#[case::too_deep(&format!(r#"{{"deep":{}{}}}"#, "[".repeat(200), "]".repeat(200)))]
#[case::not_a_number(r#"{"n":NaN}"#)]
#[case::two_values(r#"{"n":1}{"n":2}"#)]
#[case::byte_order_mark("\u{feff}{\"n\":1}")]
#[case::cut_off(r#"{"n":"#)]
#[case::empty("")]
fn what_is_no_document_goes_nowhere(#[case] text: &str) {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    site.system("crm").put("1", text);
    site.retcon(&["notify", "customer", "crm", "1", "--wait"]).exits(1).complains_of("parked");
    assert!(site.system("billing").items().is_empty());
    assert_eq!(site.system("crm").get("1").as_deref(), Some(text), "it is left as it is");
    assert_eq!(site.runs().count("billing", "create"), 0);
    daemon.stop();
}

#[rstest]
#[case::option("-rf")]
#[case::long_option("--help")]
#[case::end_of_options("--")]
#[case::parent("..")]
#[case::spaces(" two  words ")]
#[case::commas(",-_.")]
#[case::long(&"k".repeat(240))]
fn a_key_is_used_as_data(#[case] key: &str) {
    let site = Site::new(&[Sh.source("crm"), Python.source("billing"), C.source("shop")]);
    let daemon = site.start();
    for (number, source) in ["crm", "billing", "shop"].into_iter().enumerate() {
        let document = format!(r#"{{"number":{number}}}"#);
        site.system(source).put(key, &document);
        site.notify(source, key);
        for system in ["crm", "billing", "shop"] {
            let documents = site.system(system).documents();
            assert_eq!(documents.len(), number + 1, "{documents:?}");
            assert!(documents.contains(&document), "{documents:?}");
        }
        site.system(source).put(key, r#"{"edited":true}"#);
        site.notify(source, key);
        site.system(source).remove(key);
        site.notify(source, key);
        site.system(source).put("kept", &document);
        site.notify(source, "kept");
    }
    let shown = site.retcon(&["records", "customer"]).exits(0);
    assert!(!shown.stdout().is_empty(), "{shown}");
    daemon.stop();
}

#[test]
fn a_key_of_1024_characters_is_asked_for() {
    let site = Site::new(&[Sh.source("crm"), Python.source("billing"), C.source("shop")]);
    let daemon = site.start();
    let key = "k".repeat(1024);
    for source in ["crm", "billing", "shop"] {
        let told = site.ask(&["notify", "customer", source, &key, "--wait"]);
        assert_eq!(told["outcome"], "nothing-there", "{told}");
        assert!(site.runs().started().any(|run| run.source == source && run.key == key));
    }
    daemon.stop();
}

#[rstest]
#[case::command(";touch x")]
#[case::substitution("$(touch x)")]
#[case::line_feed("a\nb")]
#[case::slash("../x")]
#[case::beyond_ascii("schlüssel")]
#[case::too_long(&"k".repeat(1025))]
#[case::empty("")]
fn a_key_that_can_be_none_is_refused_by_name(#[case] key: &str) {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    let refused = site.retcon(&["notify", "customer", "crm", "--", key]);
    assert!(refused.status.is_some_and(|status| status == 1 || status == 2), "{refused}");
    let refused = refused.complains_of("error: cannot ").complains_of("hint: ");
    assert!(refused.stdout.is_empty(), "{refused}");
    let body = serde_json::json!({"entity": "customer", "source": "crm", "key": key}).to_string();
    site.http("POST", "/v1/notifications", Some(&body)).has_problem(422, "invalid-foreign-key");
    assert!(site.runs().0.is_empty(), "{:#?}", site.runs());
    assert!(!site.path().join("x").exists() && !site.system("crm").dir().join("x").exists(), "something was executed");
    daemon.stop();
}
