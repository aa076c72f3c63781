//! `retcon source ...`: one invocation by hand, of sources written by docs/data-sources.md alone.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use retcon::domain::json::Json;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::program::{Run, program, run};
use crate::support::system::{Language, System};
use crate::support::wait::until;

/// Numbers that no float holds, strings that few programs expect.
const SPECIAL: &str = r#"{"$serde_json::private::Number":"12","a/b~c":[1e400,-0,null],"n":12345678901234567890.10,"s":"\u0000 \ud800 😀\n"}"#;

/// A directory with a configuration of one source, `customer` `crm`, and the system behind it.
struct Place {
    dir: TempDir,
    system: System,
}

impl Place {
    fn new(language: Language) -> Self {
        Self::with_command(&format!("[{:?}, \"system\"]", language.program()))
    }

    /// A source that is run by this command, in the form of the configuration.
    fn with_command(command: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = format!("[entities.customer.sources.crm]\ncommand = {command}\n");
        let listing = format!("{}, \"list\"]", command.strip_suffix(']').expect("a list of words"));
        fs::write(dir.path().join("retcon.toml"), format!("{config}list = {listing}\n")).expect("a file");
        let system = System::create(dir.path().join("system"));
        Self { dir, system }
    }

    /// Returns `retcon source OPERATION customer crm ARGUMENTS`, to be run here.
    fn command(&self, operation: &str, arguments: &[&str]) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_retcon"));
        command.current_dir(self.dir.path()).args(["source", operation, "customer", "crm"]).args(arguments);
        command
    }

    #[track_caller]
    fn invoke(&self, operation: &str, arguments: &[&str], stdin: &str) -> Run {
        run(&mut self.command(operation, arguments), stdin.as_bytes())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[track_caller]
fn json(text: &str) -> String {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}")).to_string()
}

#[rstest]
fn a_copy_lives_and_dies(#[values(Language::Sh, Language::Python, Language::C)] language: Language) {
    let place = Place::new(language);
    let created = place.invoke("create", &[], SPECIAL).exits(0).complains_of("create");
    let key = created.stdout().trim_end_matches('\n').to_owned();
    assert_eq!(json(&place.system.get(&key).expect("it is there")), json(SPECIAL));
    let read = place.invoke("read", &["--", &key], "").exits(0).complains_of("read");
    assert_eq!(json(&read.stdout()), json(SPECIAL));
    assert_eq!(place.invoke("update", &["--", &key], r#"{"b":1,"a":2}"#).exits(0).stdout(), "");
    assert_eq!(place.system.get(&key).as_deref(), Some("{\"a\":2,\"b\":1}\n"));
    assert_eq!(place.invoke("list", &[], "").exits(0).stdout(), format!("{key}\n"));
    place.system.set("rekey");
    let moved = place.invoke("update", &["--", &key], "{}").exits(0).stdout();
    let moved = moved.trim_end_matches('\n');
    assert_ne!(moved, key);
    place.invoke("read", &["--", &key], "").exits(1).complains_of("no such copy");
    place.invoke("read", &["--", moved], "").exits(0);
    place.invoke("delete", &["--", moved], "").exits(0);
    assert_eq!(place.system.items().len(), 0);
    place.invoke("delete", &["--", moved], "").exits(0).complains_of("no item");
    assert_eq!(place.invoke("list", &[], "").exits(0).stdout(), "");
}

#[rstest]
fn what_went_wrong_is_said(#[values(Language::Sh, Language::Python, Language::C)] language: Language) {
    let place = Place::new(language);
    place.system.put("17", "{}");
    place.system.set("refuse");
    let refused = place.invoke("create", &[], "{}").exits(1);
    refused.complains_of("error: cannot create customer crm").complains_of("the system refused it: exit status 3");
    place.invoke("update", &["17"], "{}").exits(1).complains_of("refused it");
    place.invoke("delete", &["17"], "").exits(1).complains_of("refused it");
    fs::rename(place.file("system"), place.file("away")).expect("it was there");
    let gone = place.invoke("read", &["17"], "").exits(1);
    gone.complains_of("cannot read customer crm \"17\"").complains_of("cannot be reached: exit status 1");
}

#[rstest]
#[case("17", "{\"key\":\"sh-1\"}\n")]
fn json_is_printed_where_it_is_asked_for(#[case] key: &str, #[case] created: &str) {
    let place = Place::new(Language::Sh);
    place.system.put(key, r#"{ "b": 1.0, "a": [] }"#);
    let read = place.invoke("read", &[key, "--format", "json"], "").exits(0);
    assert_eq!(read.stdout(), "{\"a\":[],\"b\":1.0}\n");
    assert_eq!(place.invoke("create", &["--format", "json"], "{}").exits(0).stdout(), created);
    assert_eq!(place.invoke("update", &[key, "--format", "json"], "{}").exits(0).stdout(), "{\"key\":null}\n");
    assert_eq!(place.invoke("list", &["--format", "json"], "").exits(0).stdout(), "\"17\"\n\"sh-1\"\n");
}

#[rstest]
#[case::that_a_shell_would_run(";touch x")]
#[case::with_a_slash("../17")]
#[case::that_is_empty("")]
#[case::of_two_lines("17\n18")]
#[case::of_1025_characters(&"x".repeat(1025))]
fn a_key_that_is_none_is_refused_by_name(#[case] key: &str) {
    let place = Place::new(Language::Sh);
    place.invoke("delete", &["--", key], "").exits(2).complains_of("error: cannot").complains_of("foreign key");
    assert!(!place.file("x").exists());
}

#[test]
fn a_key_is_data_whatever_it_looks_like() {
    let place = Place::with_command(r#"["/bin/sh", "-c", "printf '\"%s\"' \"$2\"", "sh"]"#);
    for key in ["two  words ", "-rf", "--", "..", "-", &"x".repeat(1024)] {
        let read = place.invoke("read", &["--format", "json", "--", key], "").exits(0);
        assert_eq!(read.stdout(), format!("\"{key}\"\n"));
    }
}

#[test]
fn what_is_no_document_is_refused_before_anything_runs() {
    let place = Place::with_command(r#"["/bin/sh", "-c", "touch ran; echo 17", "sh"]"#);
    for (text, why) in [("", "line 1, column 1"), ("{\"a\":1,\"a\":2}", "\"a\""), ("{} x", "line 1, column 4")] {
        let refused = place.invoke("create", &[], text).exits(2);
        refused.complains_of("cannot use the document on standard input").complains_of(why);
    }
    assert!(!place.file("ran").exists());
    place.invoke("create", &[], "{}").exits(0);
    assert!(place.file("ran").exists());
}

#[test]
fn a_source_that_is_not_configured_is_refused() {
    let place = Place::new(Language::Sh);
    let mut command = program(env!("CARGO_BIN_EXE_retcon"));
    command.current_dir(place.dir.path()).args(["source", "read", "customer", "billing", "17"]);
    run(&mut command, b"").exits(2).complains_of("cannot find customer billing in the configuration");
}

/// Starts a command, to be waited for later.
fn start(command: &mut Command) -> std::process::Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("retcon starts")
}

#[test]
fn invocations_of_one_source_take_turns() {
    let script = "mkdir busy || exit 99; while [ ! -e go ]; do sleep 0.01; done; rmdir busy; printf 17";
    let place = Place::with_command(&format!(r#"["/bin/sh", "-c", "{script}", "sh"]"#));
    let children: Vec<_> = (0..4).map(|_| start(&mut place.command("read", &["17"]))).collect();
    until(|| place.file("busy").exists().then_some(()), || "none starts");
    fs::write(place.file("go"), "").expect("a file");
    for child in children {
        let output = child.wait_with_output().expect("it is ours");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[rstest]
fn a_signal_ends_the_program_too(#[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal) {
    let place = Place::with_command(r#"["/bin/sh", "-c", "echo $$ > pid.new; mv pid.new pid; exec sleep 1000", "sh"]"#);
    let mut child = start(&mut place.command("read", &["17"]));
    let pid = until(|| fs::read_to_string(place.file("pid")).ok(), || "the program does not start");
    kill_process(Pid::from_child(&child), signal).expect("it is ours");
    assert_eq!(child.wait().expect("it is ours").code(), Some(1));
    let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a number");
    assert!(rustix::process::test_kill_process(pid).is_err(), "the program lives on");
}

#[test]
fn a_list_that_nobody_reads_any_more_ends() {
    let place = Place::with_command(r#"["/bin/sh", "-c", "exec yes", "sh"]"#);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$@\" | head -n 2", "sh", env!("CARGO_BIN_EXE_retcon"), "source", "list", "customer", "crm"]);
    assert_eq!(run(command.current_dir(place.dir.path()), b"").exits(0).stdout(), "y\ny\n");
}

/// Returns the first block of code in this language of `docs/data-sources.md`.
fn example(language: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/data-sources.md")).expect("a page");
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("it has an example");
    rest.split_once("```").expect("the example ends").0.to_owned()
}

#[test]
fn the_example_of_the_contract_keeps_it() {
    let place = Place::new(Language::Sh);
    fs::write(place.file("retcon.toml"), example("toml")).expect("a file");
    let source = place.file("directory.py");
    // Written by another process: a program that somebody here still has open for writing could not be started.
    run(
        Command::new("/bin/sh").args(["-c", "cat > \"$0\" && chmod +x \"$0\""]).arg(&source),
        example("python").as_bytes(),
    )
    .exits(0);
    place.invoke("create", &[], "{}").exits(1).complains_of("items is not there");
    fs::create_dir(place.file("items")).expect("a directory");
    let key = place.invoke("create", &[], SPECIAL).exits(0).stdout();
    let key = key.trim_end_matches('\n');
    assert_eq!(json(&place.invoke("read", &[key], "").exits(0).stdout()), json(SPECIAL));
    place.invoke("update", &[key], r#"{"a":1}"#).exits(0);
    assert_eq!(json(&place.invoke("read", &[key], "").exits(0).stdout()), r#"{"a":1}"#);
    assert_eq!(place.invoke("list", &[], "").exits(0).stdout(), format!("{key}\n"));
    place.invoke("delete", &[key], "").exits(0);
    place.invoke("read", &[key], "").exits(1).complains_of("no such copy");
    place.invoke("delete", &[key], "").exits(0);
}
