//! What a program prints of its environment is hidden wherever that is told of.

use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language::Sh;
use crate::support::wait::until;

const CANARY: &str = "printed-canary-51d0";

#[test]
fn what_a_program_prints_of_its_environment_is_hidden_wherever_it_is_told_of() {
    let leaky = |name| Sh.source(name).with(&format!("env.API_KEY = {CANARY:?}"));
    let site = Site::new(&[leaky("crm"), leaky("billing")]);
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site.notify("crm", "1");
    let print = |end: &str| format!("echo \"cannot log in with $API_KEY\" >&2; echo \"$API_KEY\"; exit {end}\n");
    // A copy that is broken, a system that is away, a write of which nobody knows whether it took effect.
    site.system("crm").fault_everywhere(&print("3"));
    site.http("POST", "/v1/notifications", Some(r#"{"entity":"customer","source":"crm","key":"1"}"#)).has_status(202);
    let told =
        || until(|| daemon.log_text().contains("cannot log in with (hidden)").then_some(()), || daemon.log_text());
    told();
    site.system("crm").heal();
    site.system("billing").fault_everywhere(&print("1"));
    site.system("crm").put("1", r#"{"name":"Anne"}"#);
    site.http("POST", "/v1/notifications", Some(r#"{"entity":"customer","source":"crm","key":"1"}"#)).has_status(202);
    until(
        || (site.get("/v1/status")["entities"][0]["sources"][0]["state"] == "down").then_some(()),
        || daemon.log_text(),
    );
    let hidden = |place: &str, text: &str| assert!(!text.contains(CANARY), "it is in {place}:\n{text}");
    for path in ["/v1/status", "/v1/work-items", "/v1/supervision", "/v1/doubts", "/v1/records/customer/1", "/metrics"]
    {
        hidden(path, &call(&daemon.socket(), "GET", path, None).expect("it answers").to_string());
    }
    for words in [&["status"][..], &["work"], &["tree"], &["show", "customer", "1"]] {
        hidden(words[0], &site.retcon(words).to_string());
    }
    let by_hand = site.retcon(&["source", "read", "customer", "billing", "1"]);
    assert!(by_hand.to_string().contains("cannot log in with (hidden)"), "{by_hand}");
    hidden("a run by hand", &by_hand.to_string());
    site.system("billing").fault_everywhere(&print("70"));
    until(
        || site.get("/v1/work-items").to_string().contains("(hidden)").then_some(()),
        || site.get("/v1/work-items").to_string(),
    );
    hidden("the work", &site.get("/v1/work-items").to_string());
    hidden("the log", &daemon.log_text());
    daemon.stop();
}
