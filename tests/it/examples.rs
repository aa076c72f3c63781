//! The example data sources keep the contract, each against its real system.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use retcon::domain::json::Json;
use rstest::rstest;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::program::{Run, program, run};
use crate::support::wait::until;

/// Numbers that no float holds, strings that few programs expect.
const SPECIAL: &str = r#"{"name":"nul \u0000, lone \ud800, 😀, \"'\\/\n","email":12345678901234567890.10,"phone":{"a/b~c":[1e400,-0,null,""]}}"#;
/// The least that a source holds, and a change of it.
const ANN: &str = r#"{"name":"Ann","email":"ann@example.com"}"#;
const ANNE: &str = r#"{"name":"Anne","phone":""}"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Files,
    Sqlite,
    Http,
}
use Kind::{Files, Http, Sqlite};

/// One of the example sources, and its system.
struct Example {
    kind: Kind,
    dir: TempDir,
    service: Option<Child>,
}

impl Example {
    fn start(kind: Kind) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut example = Self { kind, dir, service: None };
        match kind {
            Files => fs::create_dir(example.system()).expect("a directory"),
            Sqlite => {
                let mut setup = program(source("sqlite/billing.py"));
                run(setup.arg(example.system()).arg("setup"), b"").exits(0);
            }
            Http => {
                fs::create_dir(example.system()).expect("a directory");
                example.start_service();
            }
        }
        example
    }

    /// What the source talks to: a directory, a database, or where the service keeps its customers.
    fn system(&self) -> PathBuf {
        self.dir.path().join("system")
    }

    fn start_service(&mut self) {
        let mut service = program(source("http/service.py"));
        let child = service.arg(self.system()).stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        self.service = Some(child.expect("the service starts"));
        let url = self.system().join("url");
        until(
            || url.exists().then_some(()),
            || format!("the service does not say where it is: {}", self.stop_service()),
        );
    }

    /// Kills the service; gives what it wrote to stderr.
    fn stop_service(&mut self) -> String {
        let mut stderr = String::new();
        if let Some(mut service) = self.service.take() {
            service.kill().expect("the service is ours");
            service.wait().expect("the service is ours");
            service.stderr.take().map(|mut pipe| pipe.read_to_string(&mut stderr));
        }
        stderr
    }

    /// Takes the system away, as an outage does.
    fn take_away(&mut self) {
        match self.kind {
            Files | Sqlite => fs::rename(self.system(), self.dir.path().join("elsewhere")).expect("it was there"),
            Http => drop(self.stop_service()),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.kind {
            Files => program(source("files/files.sh")),
            Sqlite => program(source("sqlite/billing.py")),
            Http => program(source("http/crm.py")),
        };
        match self.kind {
            Files | Sqlite => command.arg(self.system()),
            Http => command.env("CRM_URL_FILE", self.system().join("url")),
        };
        command.args(arguments);
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], document: &str) -> Run {
        run(&mut self.command(arguments), line(document).as_bytes())
    }

    /// Creates an item and gives its key.
    #[track_caller]
    fn create(&self, document: &str) -> String {
        let key = self.run(&["create"], document).exits(0).stdout();
        key.strip_suffix('\n').expect("the key is a line").to_owned()
    }

    /// Reads a document: its value, digit for digit, with its members sorted.
    #[track_caller]
    fn read(&self, key: &str) -> String {
        sorted(&self.run(&["read", key], "").exits(0).stdout())
    }

    #[track_caller]
    fn keys(&self) -> Vec<String> {
        self.run(&["list"], "").exits(0).stdout().lines().map(String::from).collect()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.stop_service();
    }
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sources").join(path)
}

fn line(document: &str) -> String {
    format!("{document}\n")
}

#[track_caller]
fn sorted(document: &str) -> String {
    Json::parse(document.as_bytes()).unwrap_or_else(|error| panic!("{error}: {document:?}")).to_string()
}

#[rstest]
fn an_item_is_created_read_updated_and_deleted(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let key = example.create(ANN);
    assert_eq!(example.read(&key), sorted(ANN));
    assert_eq!(example.run(&["update", &key], ANNE).exits(0).stdout(), "", "the key stays");
    assert_eq!(example.read(&key), sorted(ANNE));
    let other = example.create(ANN);
    assert_eq!(example.keys().len(), 2);
    example.run(&["delete", &key], "").exits(0);
    assert_eq!(example.keys(), std::slice::from_ref(&other));
    assert_eq!(example.read(&other), sorted(ANN));
}

#[rstest]
fn a_document_survives_the_round_trip_digit_for_digit(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let created = example.create(SPECIAL);
    let updated = example.create(ANN);
    example.run(&["update", &updated], SPECIAL).exits(0);
    assert_eq!(example.read(&created), sorted(SPECIAL));
    assert_eq!(example.read(&updated), sorted(SPECIAL));
}

#[rstest]
fn an_item_that_is_gone_is_missing(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let key = example.create(ANN);
    example.run(&["delete", &key], "").exits(0);
    for operation in ["read", "update", "delete"] {
        let run = example.run(&[operation, &key], ANN).exits(2).complains_of(&key);
        assert!(run.stdout.is_empty(), "{run}");
    }
}

#[rstest]
fn a_key_is_data_whatever_it_looks_like(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let only = example.create(ANN);
    for key in ["-rf", "--", "..", ";touch x", " 1 ", "01", &"k".repeat(1024)] {
        for operation in ["read", "update", "delete"] {
            example.run(&[operation, key], ANNE).exits(2);
        }
    }
    assert_eq!(example.keys(), std::slice::from_ref(&only));
    assert_eq!(example.read(&only), sorted(ANN));
}

#[rstest]
#[case("-rf")]
#[case("--")]
#[case("a b")]
#[case("..")]
fn a_file_of_any_name_is_an_item(#[case] key: &str) {
    let example = Example::start(Files);
    fs::write(example.system().join(format!("{key}.json")), ANN).expect("a file");
    assert_eq!(example.read(key), sorted(ANN));
    example.run(&["update", key], ANNE).exits(0);
    assert_eq!(example.read(key), sorted(ANNE));
    example.run(&["delete", key], "").exits(0);
    assert_eq!(fs::read_dir(example.system()).expect("a directory").count(), 0, "nothing is left beside it");
}

#[rstest]
fn a_system_that_is_away_is_unreachable_and_nothing_is_missing(#[values(Files, Sqlite, Http)] kind: Kind) {
    let mut example = Example::start(kind);
    let key = example.create(ANN);
    example.take_away();
    for arguments in [vec!["read", &key], vec!["update", &key], vec!["delete", &key], vec!["create"], vec!["list"]] {
        let run = example.run(&arguments, ANN).exits(1);
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{run}");
    }
    assert!(kind == Http || !example.system().exists(), "an empty system was made");
}

#[rstest]
#[case(Files, &["create"], r#"{"name":"#)]
#[case(Sqlite, &["create"], r#"{"name":"Ann","shoe_size":"37"}"#)]
#[case(Sqlite, &["create"], r#"{"name":"#)]
#[case(Sqlite, &["create"], "[]")]
#[case(Http, &["create"], r#"{"name":"#)]
#[case(Http, &["create"], "[]")]
fn what_a_system_cannot_hold_is_refused_and_not_bent(
    #[case] kind: Kind,
    #[case] create: &[&str],
    #[case] document: &str,
) {
    let example = Example::start(kind);
    let key = example.create(ANN);
    for arguments in [create, &["update", &key]] {
        let run = run(&mut example.command(arguments), document.as_bytes()).exits(3);
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{run}");
    }
    assert_eq!(example.keys(), std::slice::from_ref(&key));
    assert_eq!(example.read(&key), sorted(ANN));
}

#[rstest]
fn a_create_that_is_repeated_makes_no_second_item(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let create = |operation: &str| {
        let mut command = example.command(&["create"]);
        run(command.env("RETCON_OPERATION_ID", operation), line(ANN).as_bytes()).exits(0).stdout()
    };
    let key = create("0199a8f0-7d1c-7000-8000-000000000001");
    example.run(&["update", key.trim_end()], ANNE).exits(0);
    assert_eq!(create("0199a8f0-7d1c-7000-8000-000000000001"), key);
    assert_eq!(example.read(key.trim_end()), sorted(ANNE), "an edit after the first attempt stays");
    assert_ne!(create("0199a8f0-7d1c-7000-8000-000000000002"), key);
    assert_eq!(example.keys().len(), 2);
}

#[rstest]
fn a_change_that_rests_on_an_old_reading_is_not_made(#[values(Files, Sqlite, Http)] kind: Kind) {
    let example = Example::start(kind);
    let key = example.create(ANN);
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let change = |operation: &str, expected: &str| {
        let mut command = example.command(&[operation, &key]);
        run(command.env("RETCON_EXPECTED_SHA256", expected), line(ANNE).as_bytes())
    };
    for operation in ["update", "delete"] {
        let before = example.run(&["read", &key], "").exits(0).stdout;
        let stale = change(operation, &sha256(b"{}"));
        assert!(stale.status.is_some_and(|status| status > 3), "{stale}");
        assert_eq!(example.run(&["read", &key], "").exits(0).stdout, before);
        change(operation, &sha256(&before)).exits(0);
    }
    example.run(&["read", &key], "").exits(2);
}

#[test]
fn a_slip_in_a_shell_script_is_no_deletion() {
    let example = Example::start(Files);
    let key = example.create(ANN);
    let text = fs::read_to_string(source("files/files.sh")).expect("the source");
    let broken = example.dir.path().join("broken.sh");
    for slip in ["fi", "echo ${x?}", ". /nowhere"] {
        fs::write(&broken, text.replacen("\ncase ", &format!("\n{slip}\ncase "), 1)).expect("a file");
        let run = run(program("/bin/sh").arg(&broken).arg(example.system()).args(["read", &key]), b"");
        assert!(run.status.is_some_and(|status| status > 3), "{slip}: {run}");
    }
}

/// Runs a shell script as a user for whom no other process can be started.
#[track_caller]
fn run_without_processes(script: &Path, arguments: &[&OsStr], document: &str) -> Run {
    let mut command = program("prlimit");
    if rustix::process::geteuid().is_root() {
        // Root's processes are not counted.
        command.uid(65534).gid(65534);
    }
    command.current_dir("/").args(["--nproc=1", "/bin/sh"]).arg(script).args(arguments);
    run(&mut command, line(document).as_bytes())
}

/// Puts a script where everybody can read it, beside a directory that everybody can use.
fn publish(directory: &Path, system: &Path, text: &str) -> PathBuf {
    let script = directory.join("published.sh");
    fs::write(&script, text).expect("a file");
    for open in [directory, system, &script] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o777)).expect("it is ours");
    }
    script
}

#[test]
fn a_shell_script_for_which_no_process_is_left_says_of_nothing_that_it_is_missing() {
    let example = Example::start(Files);
    let key = example.create(ANN);
    let script = fs::read_to_string(source("files/files.sh")).expect("the source");
    let system = example.system();
    let script = publish(example.dir.path(), &system, &script);
    for operation in ["read", "update", "delete"] {
        for key in [key.as_str(), "nobody"] {
            let arguments = [system.as_os_str(), operation.as_ref(), key.as_ref()];
            let run = run_without_processes(&script, &arguments, ANN);
            assert!(run.status.is_some_and(|status| status > 3), "{operation} {key}: {run}");
        }
    }
    assert_eq!(example.read(&key), sorted(ANN));
}

#[test]
fn a_slip_in_a_python_program_is_no_outage() {
    let example = Example::start(Sqlite);
    let key = example.create(ANN);
    let spoil = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"UPDATE customers SET name = x'ff'\"); d.commit()";
    run(program("python3").args(["-c", spoil]).arg(example.system()), b"").exits(0);
    let run = example.run(&["read", &key], "");
    assert!(run.status.is_some_and(|status| status > 3), "{run}");
}

#[test]
fn a_wrong_address_does_not_say_that_a_customer_is_missing() {
    let example = Example::start(Http);
    let key = example.create(ANN);
    let url = fs::read_to_string(example.system().join("url")).expect("the service's address");
    let mut command = example.command(&["read", &key]);
    run(command.env("CRM_URL", format!("{}/api/v2", url.trim())), b"").exits(1).complains_of("404");
}

#[test]
fn a_service_that_starts_anew_has_its_customers_still() {
    let mut example = Example::start(Http);
    let key = example.create(ANN);
    example.take_away();
    fs::remove_file(example.system().join("url")).expect("its old address");
    example.start_service();
    assert_eq!(example.read(&key), sorted(ANN));
}

#[test]
fn the_source_in_the_readme_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let place = dir.path().join("people");
    fs::create_dir(&place).expect("a directory");
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let text = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program in sh");
    assert!(text.contains("/srv/people"), "{text}");
    fs::write(dir.path().join("people.sh"), text.replace("/srv/people", place.to_str().expect("UTF-8")))
        .expect("a file");
    let people = |arguments: &[&str], document: &str| {
        let mut sh = program("/bin/sh");
        sh.arg(dir.path().join("people.sh")).args(arguments).env("RETCON_OPERATION_ID", "0199a8f0");
        run(&mut sh, line(document).as_bytes())
    };
    let key = people(&["create"], SPECIAL).exits(0).stdout();
    assert_eq!(people(&["create"], SPECIAL).exits(0).stdout(), key);
    let key = key.trim_end();
    assert_eq!(people(&["read", key], "").exits(0).stdout(), line(SPECIAL));
    people(&["update", key], ANN).exits(0);
    assert_eq!(people(&["read", key], "").exits(0).stdout(), line(ANN));
    people(&["delete", key], "").exits(0);
    for operation in ["read", "update", "delete"] {
        people(&[operation, key], ANN).exits(2).complains_of("there is no");
        people(&[operation, "-rf"], ANN).exits(2);
    }
    people(&["create"], ANN).exits(0);
    let script = fs::read_to_string(dir.path().join("people.sh")).expect("it is there");
    let script = publish(dir.path(), &place, &script);
    for operation in ["read", "update", "delete"] {
        let run = run_without_processes(&script, &[operation.as_ref(), key.as_ref()], ANN);
        assert!(run.status.is_some_and(|status| status > 2), "{operation}: {run}");
    }
    people(&["delete", key], "").exits(0);
    fs::remove_dir_all(&place).expect("it is ours");
    for arguments in [vec!["create"], vec!["read", key], vec!["update", key], vec!["delete", key]] {
        people(&arguments, ANN).exits(1);
    }
}
