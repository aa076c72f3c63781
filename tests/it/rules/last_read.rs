//! What is read right before a change.

use sha2::{Digest, Sha256};

use super::{ANN, BEA, Sh, Site, introduce, two};

#[test]
fn a_copy_edited_between_its_reading_and_its_write_is_not_overwritten() {
    let site = Site::new(&[Sh.source("billing").with("recheck = \"0s\""), Sh.source("crm")]);
    let daemon = introduce(&site);
    // The second reading of a look is the one right before the write: somebody was faster.
    let edit = r#"[ -e "$system/read" ] && ! [ -e "$system/edited" ] && {
        : > "$system/edited"; echo '{"email":"mine","name":"Ann"}' > "$system/items/$RETCON_KEY.json"; }
        : > "$system/read""#;
    site.system("billing").fault("read", edit);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    let both = r#"{"email":"mine","name":"Bea"}"#;
    assert_eq!(site.system("billing").documents(), [both]);
    assert_eq!(site.system("crm").documents(), [both]);
    daemon.stop();
}

#[test]
fn a_copy_edited_between_its_reading_and_its_deletion_is_not_deleted() {
    let site = Site::new(&[Sh.source("billing").with("recheck = \"0s\""), Sh.source("crm")]);
    let daemon = introduce(&site);
    let edit = r#"[ -e "$system/read" ] && ! [ -e "$system/edited" ] && {
        : > "$system/edited"; echo '{"email":"mine","name":"Ann"}' > "$system/items/$RETCON_KEY.json"; }
        : > "$system/read""#;
    site.system("billing").fault("read", edit);
    site.system("crm").remove("a");
    site.notify("crm", "a");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [r#"{"email":"mine","name":"Ann"}"#]);
    assert_eq!(site.runs().count("billing", "delete"), 0);
    assert_eq!(site.get("/v1/conflicts")["items"][0]["kind"], "edit-delete");
    daemon.stop();
}

#[test]
fn a_change_is_told_the_hash_of_what_it_rests_on() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    for operation in ["update", "delete"] {
        site.system("billing").fault(operation, "echo $RETCON_EXPECTED_SHA256 >> \"$system/told\"\n");
    }
    let odd = "{ \"name\" : \"Ann\",\n\"email\":\"x\" }\n\n";
    site.system("billing").put("sh-1", odd);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let as_sent = site.system("billing").get("sh-1").expect("it is there");
    site.system("crm").remove("a");
    site.notify("crm", "a");
    let told = std::fs::read_to_string(site.system("billing").dir().join("told")).expect("it was told");
    let hash = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(told.lines().collect::<Vec<_>>(), [hash(odd), hash(&as_sent)]);
    assert_ne!(as_sent.trim(), ANN);
    daemon.stop();
}
