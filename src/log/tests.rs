//! Tests of the log.

use std::io::Read;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use slog::{crit, debug, error, info, o, warn};

use super::event::{Event, Value};
use super::format::Format;
use super::*;

/// Starts a log into a pipe; the first end reads it.
fn piped(level: Severity, format: Format) -> (std::fs::File, Logger, Guard) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe can be made");
    let (log, guard) = start(level, format, std::fs::File::from(writer));
    (std::fs::File::from(reader), log, guard)
}

/// Returns the lines that `write` logs at `level` or graver.
fn lines(level: Severity, format: Format, write: impl FnOnce(&Logger)) -> Vec<String> {
    let (mut reader, log, guard) = piped(level, format);
    let gather = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    write(&log);
    drop((log, guard));
    let text = gather.join().expect("the reader lives").expect("the log is UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Returns the line of one event at a known time.
fn line(format: Format, severity: Severity, values: Vec<(slog::Key, Value)>) -> String {
    let time = "2026-11-21T21:41:56.123456789Z".parse().expect("it is a time");
    format.line(&Event { time, severity, message: "source unreachable".to_owned(), values })
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

const TEXT: Format = Format::Text { coloured: false };

#[test]
fn an_event_is_one_line_of_text() {
    let values = vec![("entity", text("customer")), ("elapsed_ms", Value::Plain("17".to_owned()))];
    let expected = "2026-11-21T21:41:56.123Z EMERG source unreachable entity=customer elapsed_ms=17\n";
    assert_eq!(line(TEXT, Severity::Emerg, values), expected);
}

#[test]
fn text_quotes_what_would_not_stand_alone() {
    let check = |value: &str, shown: &str| {
        let line = line(TEXT, Severity::Info, vec![("stderr", text(value))]);
        assert_eq!(line.split_once("stderr=").map(|(_, rest)| rest), Some(format!("{shown}\n").as_str()));
    };
    check("plain", "plain");
    check("Grüße", "Grüße");
    check("", r#""""#);
    check("two words", r#""two words""#);
    check("a=b", r#""a=b""#);
    check(r#"say "hi" \ "#, r#""say \"hi\" \\ ""#);
    check("one\ntwo\r\t", r#""one\ntwo\r\t""#);
    check("\x1b[31m\u{202e}\u{9b}", r#""\u001b[31m\u202e\u009b""#);
}

#[test]
fn json_has_time_level_msg_and_then_the_keys() {
    let values = vec![
        ("entity", text("customer")),
        ("exit_status", Value::Plain("1".to_owned())),
        ("stderr", text("no \"route\"\n\x1b[0m")),
    ];
    let expected = concat!(
        r#"{"time":"2026-11-21T21:41:56.123Z","level":"EMERG","msg":"source unreachable","#,
        r#""entity":"customer","exit_status":1,"stderr":"no \"route\"\n\u001b[0m"}"#,
        "\n"
    );
    let line = line(Format::Json, Severity::Emerg, values);
    assert_eq!(line, expected);
    let parsed: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!(parsed["stderr"], "no \"route\"\n\x1b[0m");
}

#[test]
fn the_journal_gets_the_number_of_the_severity_and_no_time() {
    let expected = "<0>EMERG source unreachable entity=customer\n";
    assert_eq!(line(Format::Journal, Severity::Emerg, vec![("entity", text("customer"))]), expected);
    assert!(line(Format::Journal, Severity::Debug, Vec::new()).starts_with("<7>DEBUG "));
}

#[test]
fn only_the_severity_is_coloured() {
    let coloured = line(Format::Text { coloured: true }, Severity::Emerg, Vec::new());
    assert_eq!(coloured, "2026-11-21T21:41:56.123Z \x1b[1;31mEMERG\x1b[0m source unreachable\n");
    assert!(!line(TEXT, Severity::Emerg, Vec::new()).contains('\x1b'));
}

#[test]
fn every_severity_of_syslog_has_its_name() {
    let names = lines(Severity::Debug, Format::Journal, |log| {
        crate::emerg!(log, "m");
        crate::alert!(log, "m"; "k" => 1);
        crit!(log, "m");
        error!(log, "m");
        warn!(log, "m");
        crate::notice!(log, "m");
        info!(log, "m");
        debug!(log, "m");
    });
    let expected = [
        "<0>EMERG m",
        "<1>ALERT m k=1",
        "<2>CRIT m",
        "<3>ERROR m",
        "<4>WARNING m",
        "<5>NOTICE m",
        "<6>INFO m",
        "<7>DEBUG m",
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_event_of_any_severity_comes_out_at_it() {
    use Severity::{Alert, Crit, Debug, Emerg, Error, Info, Notice, Warning};
    for severity in [Emerg, Alert, Crit, Error, Warning, Notice, Info, Debug] {
        let lines = lines(Debug, Format::Journal, |log| event(log, severity, "m", slog::b!("writes" => 2)));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with(&format!("<{}>", severity as u8)) && lines[0].ends_with(" m writes=2"),
            "{lines:?}"
        );
    }
}

#[test]
fn what_is_less_grave_than_the_level_is_left_out_and_level_and_format_can_change() {
    let apply = |guard: &Guard, level, format| guard.control().apply(&model::Log { level, format });
    let (mut reader, log, guard) = piped(Severity::Notice, Format::Journal);
    info!(log, "left out");
    crate::notice!(log, "kept");
    apply(&guard, Severity::Debug, LogFormat::Journal);
    debug!(log, "kept too");
    apply(&guard, Severity::Emerg, LogFormat::Json);
    crate::alert!(log, "left out");
    crate::emerg!(log, "kept");
    drop((log, guard));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("the log can be read");
    let json = text.strip_prefix("<5>NOTICE kept\n<7>DEBUG kept too\n").unwrap_or_else(|| panic!("{text}"));
    assert!(json.ends_with("\"level\":\"EMERG\",\"msg\":\"kept\"}\n"), "{text}");
}

#[test]
fn a_key_stands_once_in_the_fixed_order_and_the_events_own_value_wins() {
    let lines = lines(Severity::Debug, Format::Journal, |log| {
        let child = log.new(o!("source" => "crm", "entity" => "customer")).new(o!("attempt" => 1, "shard" => "x"));
        info!(child, "m"; "stderr" => "s", "attempt" => 2, "elapsed_ms" => 5u64, "error" => %"e");
    });
    assert_eq!(lines, ["<6>INFO m entity=customer source=crm attempt=2 elapsed_ms=5 error=e stderr=s shard=x"]);
}

#[test]
fn a_stream_that_takes_nothing_holds_nobody_up_and_what_was_lost_is_counted() {
    let (mut reader, log, guard) = piped(Severity::Debug, Format::Json);
    let long = "x".repeat(64 << 10);
    for number in 0..400 {
        info!(log, "m"; "writes" => number, "stderr" => &long);
    }
    error!(log, "grave");
    let gather = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    drop((log, guard));
    let text = gather.join().expect("the reader lives").expect("the log is UTF-8");
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is whole")).collect();
    let kept = events.iter().filter(|event| event["msg"] == "m").count() as u64;
    let lost: u64 = events.iter().filter_map(|event| event["events"].as_u64()).sum();
    assert!(lost > 0, "{} of 400 were kept", kept);
    assert_eq!(kept + lost, 400);
    assert!(events.iter().any(|event| event["msg"] == "grave"), "what is grave finds room");
    assert!(events.iter().any(|event| event["msg"] == "log events dropped" && event["level"] == "WARNING"));
}

#[test]
fn the_end_does_not_wait_for_ever_for_a_stream_that_takes_nothing() {
    let (reader, log, guard) = piped(Severity::Debug, TEXT);
    info!(log, "m"; "stderr" => "x".repeat(1 << 20));
    guard.lines.queue.close(Duration::from_millis(1));
    drop(reader);
    drop((log, guard));
}

#[test]
fn debug_events_are_built_in() {
    assert!(debug_is_built_in());
}
