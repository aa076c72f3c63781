//! What the command line says to bad usage, and with which exit status.

use std::os::unix::net::UnixListener;

use crate::support::program::{Run, program, run};

/// Runs `retcon` in an empty directory, where there is neither a configuration nor a daemon.
fn retcon(arguments: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(program(env!("CARGO_BIN_EXE_retcon")).current_dir(directory.path()).args(arguments), b"")
}

/// Expects an error in the one form that all errors have, and nothing on standard output.
#[track_caller]
fn fails(run: &Run, status: i32) {
    let stderr = run.stderr();
    assert_eq!(run.status, Some(status), "{run}");
    assert_eq!(run.stdout(), "", "{run}");
    assert!(stderr.starts_with("error: cannot "), "{run}");
    assert!(stderr.lines().any(|line| line.starts_with("hint: ")), "{run}");
}

#[test]
fn bad_usage_of_every_command_ends_with_2_an_error_and_a_hint() {
    let bad: &[(&[&str], &str)] = &[
        (&[], "subcommand is missing"),
        (&["stats"], "status"),
        (&["--format", "xml", "status"], "text, json"),
        (&["--frob", "status"], "--frob"),
        (&["status", "now"], "now"),
        (&["status", "--url", "ftp://localhost"], "http://"),
        (&["status", "--url", "no url"], "no url"),
        (&["status", "--url", "http://ann:secret@localhost"], "\"http://(hidden)@localhost\""),
        (&["status", "--url", "http://ann:secret@local host"], "\"http://(hidden)@local host\""),
        (&["notify", "customer", "crm"], "<KEY>"),
        (&["notify", "customer", "crm", "1", "2"], "'2'"),
        (&["notify", "customer", "crm", "-1"], "-- -1"),
        (&["notify", "customer", "crm", "1", "--wait", "--timeout", "soon"], "90s"),
        (&["notify", "customer", "crm", "1", "--timeout", "5s"], "--wait"),
        (&["records"], "<ENTITY>"),
        (&["records", "customer", "--key", "1"], "--source"),
        (&["records", "customer", "--limit", "0"], "--limit"),
        (&["show", "customer"], "<ID|SOURCE:KEY>"),
        (&["show", "customer", "one"], "SOURCE:KEY"),
        (&["history", "customer"], "<ID>"),
        (&["history", "customer", "one"], "one"),
        (&["explain", "customer"], "<ID>"),
        (&["explain", "customer", "1", "/email"], "/email"),
        (&["undo", "customer", "1"], "<VERSION>"),
        (&["undo", "customer", "1", "99999999999999999999"], "<VERSION>"),
        (&["conflicts", "customer", "1"], "'1'"),
        (&["resolve"], "<CONFLICT>"),
        (&["resolve", "7"], "--take"),
        (&["resolve", "7", "--take", "crm", "--keep"], "--keep"),
        (&["resolve", "7", "--value", "{"], "--value"),
        (&["resolve", "7", "--value", "Ann"], "quotes"),
        (&["resolve", "seven", "--keep"], "seven"),
        (&["work", "--state", "lost"], "ready, running, waiting, parked or done"),
        (&["retry"], "<WORK_ITEM>"),
        (&["retry", "1", "two"], "two"),
        (&["drop"], "<WORK_ITEM>"),
        (&["drop", "-1"], "-1"),
        (&["reload", "now"], "'now'"),
        (&["check", "retcon.toml"], "retcon.toml"),
        (&["check", "--config", "nowhere.toml"], "nowhere.toml"),
        (&["merge", "nowhere.json"], "nowhere.json"),
        (&["merge", "a", "b"], "'b'"),
        (&["source"], "subcommand"),
        (&["source", "frob", "customer", "crm"], "frob"),
        (&["source", "read", "customer", "crm"], "<KEY>"),
        (&["source", "read", "customer", "crm", "a/b"], "'/'"),
        (&["source", "list", "no name", "crm"], "no name"),
        (&["init", "a", "b"], "'b'"),
        (&["demo", "now"], "'now'"),
        (&["completions"], "<SHELL>"),
        (&["completions", "cmd"], "bash"),
    ];
    for (arguments, word) in bad {
        let run = retcon(arguments);
        fails(&run, 2);
        assert!(run.stderr().contains(word), "no word of {word:?}: {run}");
    }
}

/// Every command that asks the daemon.
const ONLINE: [&[&str]; 14] = [
    &["notify", "customer", "crm", "1"],
    &["status"],
    &["tree"],
    &["records", "customer"],
    &["show", "customer", "1"],
    &["show", "customer", "crm:1"],
    &["history", "customer", "1"],
    &["explain", "customer", "1"],
    &["undo", "customer", "1", "1"],
    &["conflicts"],
    &["resolve", "1", "--keep"],
    &["work"],
    &["retry", "1"],
    &["reload"],
];

#[test]
fn without_a_configuration_or_a_url_a_command_says_where_it_looked() {
    for command in ONLINE {
        let run = retcon(command);
        fails(&run, 2);
        assert!(run.stderr().contains("/etc/retcon/retcon.toml"), "{run}");
    }
}

#[test]
fn a_daemon_that_is_away_ends_every_command_with_3() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // All that a client takes from the file is the state directory, however broken the rest is.
    let config = "[server]\nstate_dir = \"here\"\nfrob = 1\n[entities.customer]\nmode = 7\n";
    std::fs::write(directory.path().join("retcon.toml"), config).expect("a file");
    let socket = directory.path().join("here/retcon.sock");
    for format in ["text", "json"] {
        for command in ONLINE {
            let mut command = [&["--format", format], command].concat();
            command.extend(["--config", "retcon.toml"]);
            let run = run(program(env!("CARGO_BIN_EXE_retcon")).current_dir(directory.path()).args(command), b"");
            fails(&run, 3);
            let place = format!("error: cannot reach the daemon at {}\n", socket.display());
            assert!(run.stderr().starts_with(&place) && run.stderr().contains("is retcond running?"), "{run}");
        }
    }
}

#[test]
fn what_answers_no_http_is_not_believed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("retcon.toml"), "[server]\nstate_dir = \".\"\n").expect("a file");
    let listener = UnixListener::bind(directory.path().join("retcon.sock")).expect("a socket");
    let hang_up = std::thread::spawn(move || drop(listener.accept()));
    let run = run(program(env!("CARGO_BIN_EXE_retcon")).current_dir(directory.path()).arg("status"), b"");
    fails(&run, 3);
    hang_up.join().expect("it does not panic");
}

#[test]
fn help_and_version_are_data() {
    for arguments in [&["--help"][..], &["help"], &["-h"], &["notify", "--help"], &["help", "resolve"]] {
        let run = retcon(arguments).exits(0);
        assert!(run.stdout().contains("Usage: retcon") && run.stdout().contains("Example"), "{run}");
        assert_eq!(run.stderr(), "", "{run}");
    }
    assert_eq!(retcon(&["--version"]).exits(0).stdout(), format!("retcon {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = retcon(&["completions", shell]).exits(0);
        assert!(run.stdout().contains("conflicts") && run.stdout().contains("format"), "{run}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let shell = "\"$0\" completions zsh | true; echo \"${PIPESTATUS[0]}\"";
    let run = run(program("bash").args(["-c", shell, env!("CARGO_BIN_EXE_retcon")]), b"").exits(0);
    assert_eq!((run.stdout().as_str(), run.stderr().as_str()), ("0\n", ""), "{run}");
}

/// Runs `retcon check` on a configuration.
fn check(config: &str, arguments: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("retcon.toml"), config).expect("a file");
    run(program(env!("CARGO_BIN_EXE_retcon")).current_dir(directory.path()).arg("check").args(arguments), b"")
}

#[test]
fn check_tells_every_error_with_its_place_and_key() {
    let config = "[server]\nlisten = 7\nfrob = 1\n\n[entities.customer]\nmode = \"sink\"\n";
    let run = check(config, &[]);
    fails(&run, 2);
    for line in [
        "retcon.toml:2:10: server.listen: ",
        "retcon.toml:3:1: server.frob: ",
        "retcon.toml:6:8: entities.customer.mode: ",
    ] {
        assert!(run.stderr().lines().any(|found| found.contains(line)), "no line {line:?}: {run}");
    }
    let run = check(config, &["--format", "json"]).exits(2);
    let report: serde_json::Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
    let places: Vec<_> =
        report["errors"].as_array().expect("a list").iter().map(|error| (&error["line"], &error["key"])).collect();
    let expected = [(2, "server.listen"), (3, "server.frob"), (6, "entities.customer.mode")];
    assert!(expected.iter().all(|(line, key)| places.contains(&(&(*line).into(), &(*key).into()))), "{run}");
}

#[test]
fn check_warns_and_is_content() {
    let source = "command = [\"/bin/sh\"]\n";
    let half = "read = [\"/bin/sh\"]\n";
    let config = |crm| format!("[entities.customer.sources.crm]\n{crm}[entities.customer.sources.billing]\n{source}");
    let run = check(&config(half), &[]).exits(0).complains_of("warning: ");
    assert!(run.stdout().starts_with("ok: ") && run.stderr().contains("create is left out"), "{run}");
    let run = check(&config(source), &[]).exits(0);
    assert_eq!(
        (run.stdout().as_str(), run.stderr().as_str()),
        ("ok: ./retcon.toml: 1 entity, 2 sources\n", ""),
        "{run}"
    );
}

#[test]
fn colour_is_for_terminals_whose_user_wants_it() {
    let on_a_terminal = |variables: &[(&str, &str)]| {
        let mut command = program("script");
        command.args(["-qec", concat!(env!("CARGO_BIN_EXE_retcon"), " --help"), "/dev/null"]);
        run(command.env("TERM", "xterm").envs(variables.iter().copied()), b"").exits(0).stdout()
    };
    assert!(on_a_terminal(&[]).contains('\u{1b}'));
    assert!(on_a_terminal(&[("NO_COLOR", "")]).contains('\u{1b}'), "an empty NO_COLOR says nothing");
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        assert!(!on_a_terminal(&variables).contains('\u{1b}'), "{variables:?}");
    }
    assert!(!retcon(&["--help"]).stdout().contains('\u{1b}'));
}
