//! The log on the stderr of a whole process.

use std::process::Command;

use retcon::config::model::{LogFormat, Severity};
use serde_json::Value;

use crate::support::alone::{is_alone, run_alone};
use crate::support::daemon::Daemon;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::Language::Sh;

/// What a process of its own writes for `log_lines::NAME`, with `shell` run before.
#[track_caller]
fn stderr(name: &str, shell: &str) -> String {
    run_alone(&format!("log_lines::{name}"), shell).stderr()
}

/// Writes one event in the form that `auto` chooses.
fn write_one_event() {
    let (log, guard) = retcon::log::to_stderr(Severity::Debug, LogFormat::Auto);
    slog::debug!(log, "event"; "entity" => "customer");
    drop((log, guard));
}

#[test]
fn debug_events_are_written_in_this_build() {
    if is_alone() {
        return write_one_event();
    }
    let text = stderr("debug_events_are_written_in_this_build", "");
    let (time, event) = text.split_once(' ').unwrap_or_default();
    time.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((event, time.len()), ("DEBUG event entity=customer\n", "2026-11-21T21:41:56.123Z".len()), "{text}");
}

#[test]
fn auto_is_the_journals_form_where_stderr_leads_to_the_journal() {
    if is_alone() {
        return write_one_event();
    }
    let name = "auto_is_the_journals_form_where_stderr_leads_to_the_journal";
    let named = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) && export JOURNAL_STREAM";
    assert_eq!(stderr(name, named), "<7>DEBUG event entity=customer\n");
    assert!(!stderr(name, "export JOURNAL_STREAM=1:2").starts_with('<'), "another stream is named");
}

#[test]
fn a_panic_is_one_event() {
    if is_alone() {
        let (log, guard) = retcon::log::to_stderr(Severity::Debug, LogFormat::Json);
        retcon::log::take_panics(&log);
        std::panic::catch_unwind(|| panic!("of {}\nlines", 2)).expect_err("it panicked");
        drop((log, guard));
        return;
    }
    let text = stderr("a_panic_is_one_event", "");
    let event: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((&event["level"], &event["msg"]), (&Value::from("ERROR"), &Value::from("panicked")));
    let error = event["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("of 2\nlines, at tests/it/log_lines.rs:"), "{text}");
}

#[test]
fn a_stderr_that_nobody_reads_holds_nothing_up() {
    if is_alone() {
        let (log, guard) = retcon::log::to_stderr(Severity::Debug, LogFormat::Json);
        let long = "x".repeat(1 << 20);
        for _ in 0..100 {
            slog::error!(log, "event"; "stderr" => &long);
        }
        println!("went on");
        drop((log, guard));
        return;
    }
    // Its stderr is a pipe whose other end is open, and is not read before it has ended.
    let this = std::env::current_exe().expect("this is a program");
    let script = "mkfifo pipe && exec 3<>pipe && RETCON_IT_ALONE=1 \"$0\" \"$1\" --exact --nocapture 2>pipe";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new("/bin/sh");
    command.current_dir(dir.path()).arg("-c").arg(script).arg(this);
    let ended = run(command.arg("log_lines::a_stderr_that_nobody_reads_holds_nothing_up"), b"").exits(0);
    assert!(ended.stdout().contains("went on"), "{ended}");
}

#[test]
fn a_daemon_whose_stderr_nobody_reads_goes_on_and_stops_in_order() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    // More than a pipe holds, and in all more than the daemon keeps for a stream that takes nothing.
    for source in ["crm", "billing"] {
        site.system(source).fault("read", "head -c 60000 /dev/zero | tr '\\0' '7' >&2\n");
    }
    let script = "mkfifo pipe && exec 3<>pipe && exec \"$0\" \"$@\" 2>pipe";
    let mut command = program("/bin/sh");
    command.args(["-c", &format!("cd '{}' && {script}", site.path().display()), env!("CARGO_BIN_EXE_retcond")]);
    let mut daemon = Daemon::spawn_by(&site, command);
    daemon.wait_until_ready();
    let keys: Vec<String> = (0..100).map(|key| key.to_string()).collect();
    for key in &keys {
        site.system("crm").put(key, &format!(r#"{{"number":{key}}}"#));
        site.retcon(&["notify", "customer", "crm", key]).exits(0);
    }
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents().len(), keys.len());
    daemon.stop();
}
