//! `retcon init` writes a configuration that works, and replaces nothing.

use std::fs;

use rstest::rstest;

use crate::support::program::{Run, program, run};
use crate::support::site::{Site, open_directory};

const ANN: &str = r#"{"email":"ann@example.com","name":"Ann Lee"}"#;

#[track_caller]
fn init(dir: &std::path::Path, arguments: &[&str]) -> Run {
    run(program(env!("CARGO_BIN_EXE_retcon")).current_dir(dir).arg("init").args(arguments), b"")
}

#[test]
fn a_new_configuration_is_without_errors() {
    let dir = open_directory();
    assert_eq!(init(dir.path(), &["deep/er"]).exits(0).stdout().lines().count(), 4);
    let mut check = program(env!("CARGO_BIN_EXE_retcon"));
    let checked = run(check.arg("check").current_dir(dir.path().join("deep/er")), b"").exits(0);
    assert!(!checked.stderr().contains("warning"), "{checked}");
}

#[test]
fn the_example_configuration_is_without_errors() {
    let mut check = program(env!("CARGO_BIN_EXE_retcon"));
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let checked = run(check.arg("check").current_dir(examples), b"").exits(0);
    assert!(!checked.stderr().contains("warning"), "{checked}");
}

#[test]
fn a_new_configuration_keeps_two_systems_in_step() {
    let site = Site::empty();
    init(site.path(), &[]).exits(0);
    let daemon = site.start();
    site.notify("crm", "ann");
    let shop = site.path().join("systems/shop");
    let copy = fs::read_dir(&shop).expect("the shop").flatten().next().expect("Ann is in the shop").path();
    assert_eq!(fs::read_to_string(&copy).expect("her file").trim_end(), ANN);
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[rstest]
#[case("retcon.toml")]
#[case("sources/files.sh")]
#[case("systems/crm/ann.json")]
#[case(".gitignore")]
fn what_is_there_already_is_named_and_kept(#[case] name: &str) {
    let dir = open_directory();
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(&path, "mine").expect("a file");
    init(dir.path(), &[]).exits(1).complains_of(name).complains_of("hint: ");
    assert_eq!(fs::read_to_string(&path).expect("my file"), "mine");
    let written: Vec<_> = ["retcon.toml", "sources/files.sh", "systems/crm/ann.json", ".gitignore"]
        .into_iter()
        .filter(|other| *other != name && dir.path().join(other).exists())
        .collect();
    assert!(written.is_empty(), "written all the same: {written:?}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = open_directory();
    fs::write(dir.path().join("file"), "").expect("a file");
    init(dir.path(), &["file/inside"]).exits(1).complains_of("error: cannot write file/inside");
    init(dir.path(), &["one", "two"]).exits(2).complains_of("two");
}
