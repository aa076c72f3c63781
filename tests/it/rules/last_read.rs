//! What is read right before a change.

use super::{BEA, Sh, Site, introduce};

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
