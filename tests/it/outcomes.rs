//! What an invocation's end means: every row and column of the table in docs/data-sources.md, with the level of its log event.

use std::time::Duration;

use retcon::config::model::{LogFormat, Severity};
use retcon::domain::json::Json;
use retcon::domain::key::ForeignKey;
use retcon::source::contract::{Answer, Context, FindEnd, ListEnd, ReadEnd, Run, WriteEnd};
use retcon::source::lock::LockError;
use retcon::source::log::log_run;
use retcon::source::process::cancel::Cancel;
use rstest::rstest;
use serde_json::Value;

use crate::support::alone::{is_alone, run_alone};
use crate::support::bench::Bench;

/// A kind of end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Good,
    BadOutput,
    NotUtf8,
    Exit(i32),
    Signal,
    Flood,
    TimeOut,
    NotStarted,
}
use How::{BadOutput, Exit, Flood, Good, NotStarted, NotUtf8, Signal, TimeOut};

/// What an end means, whatever the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Done,
    DoneWithKey,
    Document,
    Unreachable,
    Missing,
    Rejected,
    Broken,
    ReadAgain,
    InDoubt,
    NotDone,
}
use Means::{Broken, Document, Done, DoneWithKey, InDoubt, Missing, NotDone, ReadAgain, Rejected, Unreachable};

/// A source of which every operation ends so, having said something on stderr.
fn source(how: How) -> Bench {
    let print = |bytes: &str| format!("echo why it is so >&2; printf '{bytes}'");
    match how {
        // A document in itself, and a key in itself.
        Good => Bench::shell(&print("17")),
        BadOutput => Bench::shell(&print("{\"half\": ")),
        NotUtf8 => Bench::shell(&print("\\377")),
        Exit(status) => Bench::shell(&format!("{}; exit {status}", print("17"))),
        Signal => Bench::shell(&format!("{}; kill -9 $$", print("17"))),
        Flood => Bench::shell(&format!("{}; exec cat /dev/zero", print("17"))),
        TimeOut => Bench::shell(&format!("{}; exec sleep 1000", print("17")))
            .with(|source| source.timeout = Duration::from_millis(200)),
        NotStarted => Bench::command("/nonexistent/program", &[]),
    }
}

fn key() -> ForeignKey {
    "old key".parse().expect("it is a key")
}

fn document() -> Json {
    Json::parse(br#"{"name":"Ann"}"#).expect("it is JSON")
}

fn read_means(end: &ReadEnd) -> Means {
    match end {
        ReadEnd::Document { .. } => Document,
        ReadEnd::Missing(_) => Missing,
        ReadEnd::Unreachable(_) => Unreachable,
        ReadEnd::Broken(_) => Broken,
    }
}

fn write_means(end: &WriteEnd) -> Means {
    match end {
        WriteEnd::Done { key: None } => Done,
        WriteEnd::Done { key: Some(_) } => DoneWithKey,
        WriteEnd::Unreachable(_) => Unreachable,
        WriteEnd::Missing(_) => Missing,
        WriteEnd::Rejected(_) => Rejected,
        WriteEnd::Unknown(_) => ReadAgain,
        WriteEnd::InDoubt(_) => InDoubt,
        WriteEnd::NotStarted(_) => NotDone,
        WriteEnd::Unsupported(why) => panic!("{why}"),
    }
}

/// Expects of a report what every end has in common, and its level.
#[track_caller]
fn expect_report(how: How, run: &Run, severity: Severity) {
    assert_eq!(run.severity, severity, "{how:?}: {run:?}");
    let said = if how == NotStarted { "" } else { "why it is so" };
    assert_eq!(run.stderr, said, "{how:?}");
    let complains = severity != Severity::Debug;
    assert_eq!(run.error.is_some(), complains, "{how:?}: {run:?}");
}

#[rstest]
//                  create       read         update       delete       its stderr
#[case(Good,       [DoneWithKey, Document,    DoneWithKey, Done],        Severity::Debug)]
#[case(BadOutput,  [InDoubt,     Broken,      InDoubt,     Done],        Severity::Error)]
#[case(NotUtf8,    [InDoubt,     Broken,      InDoubt,     Done],        Severity::Error)]
#[case(Exit(1),    [Unreachable, Unreachable, Unreachable, Unreachable], Severity::Emerg)]
#[case(Exit(2),    [InDoubt,     Missing,     Missing,     Done],        Severity::Error)]
#[case(Exit(3),    [Rejected,    Broken,      Rejected,    Rejected],    Severity::Error)]
#[case(Exit(4),    [InDoubt,     Broken,      ReadAgain,   ReadAgain],   Severity::Error)]
#[case(Exit(70),   [InDoubt,     Broken,      ReadAgain,   ReadAgain],   Severity::Error)]
#[case(Exit(255),  [InDoubt,     Broken,      ReadAgain,   ReadAgain],   Severity::Error)]
#[case(Signal,     [InDoubt,     Broken,      ReadAgain,   ReadAgain],   Severity::Error)]
#[case(Flood,      [InDoubt,     Broken,      ReadAgain,   ReadAgain],   Severity::Error)]
#[case(TimeOut,    [InDoubt,     Unreachable, ReadAgain,   ReadAgain],   Severity::Error)]
#[case(NotStarted, [NotDone,     Broken,      NotDone,     NotDone],     Severity::Error)]
fn an_end_means_what_the_table_says(#[case] how: How, #[case] means: [Means; 4], #[case] severity: Severity) {
    let bench = source(how);
    let mut turn = bench.turn();
    let context = Context::empty();
    let created = turn.create(&document(), &context);
    let read = turn.read(&key(), &context);
    let updated = turn.update(&key(), &document(), &context);
    let deleted = turn.delete(&key(), &context);
    let found =
        [write_means(&created.end), read_means(&read.end), write_means(&updated.end), write_means(&deleted.end)];
    assert_eq!(found, means, "{how:?}");
    for run in [&created.run, &read.run, &updated.run] {
        expect_report(how, run, severity);
    }
    // A delete prints nothing that matters: only what is no text at all is complained of.
    expect_report(how, &deleted.run, if how == BadOutput { Severity::Debug } else { severity });
    for end in [&created.end, &updated.end, &deleted.end] {
        let effect = !matches!(write_means(end), Missing | Rejected | NotDone);
        assert_eq!(end.may_have_taken_effect(), effect, "{how:?}: {end:?}");
    }
}

/// The signals that end a program which does not heed them.
const FATAL: [i32; 23] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31];

#[test]
fn every_status_without_a_meaning_and_every_signal_leave_all_as_unknown_as_it_was() {
    let statuses = (4..=255).map(|status| format!("exit {status}"));
    for end in statuses.chain(FATAL.map(|signal| format!("kill -{signal} $$"))) {
        let bench = Bench::shell(&format!("echo 17; {end}"));
        let (mut turn, context) = (bench.turn(), Context::empty());
        let means = [
            write_means(&turn.create(&document(), &context).end),
            read_means(&turn.read(&key(), &context).end),
            write_means(&turn.update(&key(), &document(), &context).end),
            write_means(&turn.delete(&key(), &context).end),
        ];
        assert_eq!(means, [InDoubt, Broken, ReadAgain, ReadAgain], "{end}");
    }
}

#[rstest]
#[case(Good, Done, Severity::Debug)]
#[case(BadOutput, Broken, Severity::Error)]
#[case(NotUtf8, Broken, Severity::Error)]
#[case(Exit(1), Unreachable, Severity::Emerg)]
#[case(Exit(2), Broken, Severity::Error)]
#[case(Exit(3), Broken, Severity::Error)]
#[case(Signal, Broken, Severity::Error)]
#[case(TimeOut, Unreachable, Severity::Error)]
#[case(NotStarted, Broken, Severity::Error)]
fn a_find_and_a_list_end_alike(#[case] how: How, #[case] means: Means, #[case] severity: Severity) {
    let bench = source(how).with(|source| source.list_timeout = source.timeout);
    let found = bench.turn().find(&document(), &Context::empty());
    let found_means = match &found.end {
        FindEnd::Keys(keys) => {
            assert_eq!(keys, &["17".parse().expect("it is a key")]);
            Done
        }
        FindEnd::Unreachable(_) => Unreachable,
        FindEnd::Broken(_) => Broken,
        FindEnd::Unsupported(why) => panic!("{why}"),
    };
    let mut keys = Vec::new();
    let listed = bench.program().list(&Context::empty(), &mut |key| {
        keys.push(key.to_string());
        std::ops::ControlFlow::Continue(())
    });
    let listed_means = match &listed.end {
        ListEnd::Done => {
            assert_eq!(keys, ["17"]);
            Done
        }
        ListEnd::Unreachable(_) => Unreachable,
        ListEnd::Broken(_) => Broken,
        ListEnd::Stopped => panic!("nobody stopped it"),
        ListEnd::Unsupported(why) => panic!("{why}"),
    };
    assert_eq!((found_means, listed_means), (means, means), "{how:?}");
    for run in [&found.run, &listed.run] {
        expect_report(how, run, severity);
    }
}

#[test]
fn a_reason_ends_with_the_last_words_of_the_program() {
    let bench = Bench::shell("echo trying >&2; printf 'no route \\033[1mto host\\n\\n' >&2; exit 1");
    let Answer { end, run } = bench.turn().read(&key(), &Context::empty());
    assert_eq!(end, ReadEnd::Unreachable("exit status 1: no route ^[[1mto host".to_owned()));
    assert_eq!(run.stderr, "trying\nno route ^[[1mto host");
}

#[test]
fn an_operation_without_a_command_is_refused_by_name() {
    let bench = Bench::shell("exit 0").with(|source| {
        let commands = &mut source.commands;
        (commands.create, commands.update, commands.delete) = (None, None, None);
        (commands.list, commands.find) = (None, None);
    });
    let (mut turn, context) = (bench.turn(), Context::empty());
    let why = |operation: &str| format!("the configuration has no command for {operation}");
    assert_eq!(turn.create(&document(), &context).end, WriteEnd::Unsupported(why("create")));
    assert_eq!(turn.update(&key(), &document(), &context).end, WriteEnd::Unsupported(why("update")));
    assert_eq!(turn.delete(&key(), &context).end, WriteEnd::Unsupported(why("delete")));
    assert_eq!(turn.find(&document(), &context).end, FindEnd::Unsupported(why("find")));
    let listed = bench.program().list(&context, &mut |_| std::ops::ControlFlow::Continue(()));
    assert_eq!(listed.end, ListEnd::Unsupported(why("list")));
}

#[test]
fn what_is_cancelled_ends_like_a_time_out_and_never_starts_afterwards() {
    let cancel = Cancel::new().expect("a descriptor is left");
    let context = Context { cancel: cancel.clone(), ..Context::empty() };
    let bench = Bench::shell("echo started > started; exec sleep 1000");
    let mut turn = bench.turn();
    let started = bench.path().join("started");
    let updated = std::thread::scope(|scope| {
        let update = scope.spawn(|| turn.update(&key(), &document(), &context));
        crate::support::wait::until(|| started.exists().then_some(()), || "it does not start");
        cancel.trigger();
        update.join().expect("the update ends")
    });
    assert_eq!(updated.end, WriteEnd::Unknown("cancelled".to_owned()));
    std::fs::remove_file(&started).expect("it is there");
    assert!(matches!(turn.update(&key(), &document(), &context).end, WriteEnd::NotStarted(_)));
    assert!(matches!(turn.read(&key(), &context).end, ReadEnd::Unreachable(_)));
    assert!(matches!(bench.program().turn(&cancel), Err(LockError::Cancelled)), "the turn is taken");
    assert!(!started.exists());
}

#[test]
fn every_end_is_one_line_of_the_log_at_its_level() {
    if is_alone() {
        let (log, guard) = retcon::log::to_stderr(Severity::Debug, LogFormat::Json);
        for how in [Good, BadOutput, Exit(1), Exit(2), Exit(3), Exit(9), Signal, TimeOut, NotStarted] {
            log_run(&log, &source(how).turn().read(&key(), &Context::empty()).run);
        }
        drop((log, guard));
        return;
    }
    let run = run_alone("outcomes::every_end_is_one_line_of_the_log_at_its_level", "");
    let events: Vec<Value> = run.stderr().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let field = |event: &Value, name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let lines: Vec<_> =
        events.iter().map(|event| format!("{} {}", field(event, "level"), field(event, "msg"))).collect();
    let expected = [
        "DEBUG source run finished",
        "ERROR source output refused",
        "EMERG source unreachable",
        "ERROR source copy missing",
        "ERROR source run failed",
        "ERROR source run failed",
        "ERROR source run failed",
        "ERROR source run timed out",
        "ERROR source program not started",
    ];
    assert_eq!(lines, expected, "{run}");
    let unreachable = &events[2];
    assert_eq!(unreachable["exit_status"], 1);
    assert_eq!(unreachable["error"], "exit status 1: why it is so");
    assert!(unreachable["elapsed_ms"].is_u64());
    for event in &events {
        let names = ["entity", "source", "operation", "foreign_key"].map(|name| field(event, name));
        assert_eq!(names, ["customer", "crm", "read", "old key"], "{event}");
    }
    assert!(events[..8].iter().all(|event| event["stderr"] == "why it is so"), "{run}");
}
