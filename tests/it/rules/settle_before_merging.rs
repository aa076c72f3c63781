//! What a reading says of a write of our own comes before what it says of a user.

use super::{ANN, BEA, CID, DAN, Sh, Site, introduce, three, two, until};
use crate::support::daemon::Daemon;

#[test]
fn an_update_that_took_effect_and_says_otherwise_is_no_edit() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", "exit 1\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.runs().count("billing", "update") > 0).then_some(()), || daemon.log_text());
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2);
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![BEA.into()], vec![BEA.into()])
    );
    assert_eq!(site.runs().count("crm", "update"), 0, "it is never written back");
    daemon.stop();
}

/// Has a write to billing take effect of which nobody is told, and the two others disagree before billing can be read again.
#[track_caller]
fn contended_after_a_write_to_billing<'a>(site: &'a Site) -> Daemon<'a> {
    let daemon = introduce(site);
    site.system("billing").fault("update.after", "exit 1\n");
    site.system("billing").fault("read", "[ -e \"$system/written\" ] && exit 1\n");
    site.system("billing").fault("update", ": > \"$system/written\"\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.system("ldap").documents() == [BEA]).then_some(()), || daemon.log_text());
    site.system("crm").put("a", CID);
    site.system("ldap").put("sh-1", DAN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.get("/v1/conflicts")["items"].as_array()?.len() == 1).then_some(()), || daemon.log_text());
    daemon
}

#[test]
fn a_write_of_our_own_is_no_contender_in_a_conflict() {
    let site = Site::new(&three());
    let daemon = contended_after_a_write_to_billing(&site);
    site.system("billing").heal();
    site.wait_until_at_rest();
    site.notify("billing", "sh-1");
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    let contenders: Vec<_> =
        conflict["contenders"].as_array().into_iter().flatten().map(|one| &one["sources"][0]).collect();
    assert_eq!(contenders, ["crm", "ldap"], "{conflict}");
    // It stands for what it carried: whoever wins, it is brought along, and contends with nobody.
    site.retcon(&["resolve", &conflict["id"].to_string(), "--take", "crm"]).exits(0);
    assert_eq!(site.system("billing").documents(), [CID]);
    daemon.stop();
}

#[test]
fn a_write_of_our_own_stands_for_what_it_carried_also_inside_a_conflict() {
    let site = Site::new(&three());
    let daemon = contended_after_a_write_to_billing(&site);
    site.system("billing").heal();
    site.wait_until_at_rest();
    // All come to agree on something else. Had our write not counted, what it carried would contend as well.
    for (source, key) in [("billing", "sh-1"), ("crm", "a"), ("ldap", "sh-1")] {
        site.system(source).put(key, DAN);
    }
    site.notify("crm", "a");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(
        (record["agreed"].to_string(), &record["conflicts"]),
        (DAN.to_owned(), &serde_json::json!([])),
        "{record}"
    );
    daemon.stop();
}

#[test]
fn what_a_tidying_source_made_of_a_write_is_written_once_more_and_absorbed() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    let tidy = "tr A-Z a-z < \"$system/items/$RETCON_KEY.json\" > \"$system/tidied\"\n\
                mv \"$system/tidied\" \"$system/items/$RETCON_KEY.json\"\n";
    site.system("billing").fault("update.after", tidy);
    site.system("crm").put("a", r#"{"email":"x","more":1,"name":"Bea"}"#);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [r#"{"email":"x","more":1,"name":"bea"}"#]);
    site.system("billing")
        .fault("update.after", &format!("{tidy}[ -e \"$system/said\" ] || {{ : > \"$system/said\"; exit 1; }}\n"));
    site.system("crm").put("a", r#"{"email":"x","more":1,"name":"Cid"}"#);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(
        site.system("crm").documents(),
        [r#"{"email":"x","more":1,"name":"Cid"}"#],
        "what was tidied is no edit"
    );
    assert_eq!(site.system("billing").documents(), [r#"{"email":"x","more":1,"name":"cid"}"#]);
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("crm", "update")), (3, 0));
    daemon.stop();
}

#[test]
fn a_write_of_our_own_that_is_seen_when_the_record_has_moved_on_is_no_edit() {
    let site = Site::new(&three());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", ": > \"$system/gone\"; exit 1\n");
    site.system("billing").fault("read", "[ -e \"$system/gone\" ] && exit 1\n");
    for document in [BEA, CID] {
        site.system("crm").put("a", document);
        site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
        until(|| (site.system("ldap").documents() == [document]).then_some(()), || daemon.log_text());
    }
    assert_eq!(site.system("billing").documents(), [BEA], "it holds what it was sent first");
    site.system("billing").heal();
    site.wait_until_at_rest();
    let all = ["billing", "crm", "ldap"].map(|name| site.system(name).documents());
    assert_eq!(all, [[CID], [CID], [CID]].map(|one| one.map(str::to_owned).to_vec()));
    assert_eq!(
        (site.get("/v1/conflicts")["items"].as_array().map(Vec::len), site.runs().count("crm", "update")),
        (Some(0), 0)
    );
    daemon.stop();
}

#[test]
fn what_may_be_tidied_and_may_be_an_edit_wins_over_nothing_when_the_write_that_is_repeated_fails() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    let billing = site.system("billing");
    let tidy = "tr A-Z a-z < \"$system/items/$RETCON_KEY.json\" > \"$system/tidied\"\n\
                mv \"$system/tidied\" \"$system/items/$RETCON_KEY.json\"\n";
    billing.fault("update.after", tidy);
    site.system("crm").put("a", r#"{"email":"x","more":1,"name":"Bea"}"#);
    site.notify("crm", "a");
    assert_eq!(billing.documents(), [r#"{"email":"x","more":1,"name":"bea"}"#], "it tidies");
    billing.heal();
    // While it is written to somebody edits it there; that write fails and may have taken effect, and the next one is refused.
    let edit = "number=$(($(cat \"$system/writes\" 2>/dev/null || echo 0) + 1)); echo $number > \"$system/writes\"\n\
                [ $number = 1 ] && { echo '{\"email\":\"x\",\"more\":1,\"name\":\"Dan\"}' > \"$system/items/$RETCON_KEY.json\"; exit 4; }\n\
                [ $number = 2 ] && exit 3\n";
    billing.fault("update", edit);
    site.system("crm").put("a", r#"{"email":"x","more":1,"name":"Cid"}"#);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.runs().count("billing", "update") == 4).then_some(()), || daemon.log_text());
    site.wait_until_at_rest();
    let all = ["billing", "crm"].map(|name| site.system(name).documents());
    assert_eq!(all, [[r#"{"email":"x","more":1,"name":"Cid"}"#], [r#"{"email":"x","more":1,"name":"Cid"}"#]]);
    let history = site.get("/v1/records/customer/1/history").to_string();
    assert!(history.contains(r#""source":"billing","value":"Dan""#), "it is named as overruled: {history}");
    daemon.stop();
}

#[test]
fn what_a_write_has_put_there_is_no_edit_though_the_copy_was_edited_elsewhere_before_anybody_saw_it() {
    let [ads, crm, zoo] = ["ads", "crm", "zoo"].map(|name| Sh.source(name));
    let site = Site::with("merge_policy = \"accept-all\"", &[ads, crm, zoo]);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    // The write takes effect in zoo and says otherwise; somebody edits another member there before it can be read.
    site.system("zoo").fault("update.after", ": > \"$system/gone\"; exit 1\n");
    site.system("zoo").fault("read", "[ -e \"$system/gone\" ] && exit 1\n");
    for document in [BEA, CID] {
        site.system("crm").put("a", document);
        site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
        until(|| (site.system("ads").documents() == [document]).then_some(()), || daemon.log_text());
    }
    assert_eq!(site.system("zoo").documents(), [BEA], "it holds what it was sent first");
    site.system("zoo").put("sh-1", r#"{"email":"y","name":"Bea"}"#);
    site.system("zoo").heal();
    site.wait_until_at_rest();
    let both = r#"{"email":"y","name":"Cid"}"#;
    let all = ["ads", "crm", "zoo"].map(|name| site.system(name).documents());
    assert_eq!(all, [[both], [both], [both]].map(|one| one.map(str::to_owned).to_vec()));
    daemon.stop();
}
