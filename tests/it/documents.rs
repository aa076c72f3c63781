//! What data sources are given and what they may answer: documents by value, keys as data, nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;

use retcon::domain::json::Json;
use retcon::domain::key::{ForeignKey, InternalKey};
use retcon::domain::record::OperationId;
use retcon::source::contract::{Context, FindEnd, ListEnd, ReadEnd, Run, WriteEnd};
use rstest::rstest;
use sha2::{Digest, Sha256};

use crate::support::alone::{is_alone, run_alone};
use crate::support::bench::Bench;
use crate::support::system::testing;
use crate::support::wait::until;

fn key(text: &str) -> ForeignKey {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a read means of which the program printed `bytes`.
#[track_caller]
fn read(bytes: &[u8]) -> ReadEnd {
    let bench = Bench::shell("cat printed");
    fs::write(bench.path().join("printed"), bytes).expect("a file");
    bench.turn().read(&key("17"), &Context::empty()).end
}

#[rstest]
#[case::twenty_digits(r#"{"n":12345678901234567890.10}"#)]
#[case::a_great_exponent(r#"{"n":1e400}"#)]
#[case::nul(r#"{"s":"\u0000"}"#)]
#[case::a_lone_surrogate(r#"{"s":"\ud800"}"#)]
#[case::an_emoji(r#"{"s":"🙂"}"#)]
#[case::a_member_that_looks_like_a_pointer(r#"{"a/b~c":1}"#)]
#[case::a_member_that_a_library_reserves(r#"{"$serde_json::private::Number":"12"}"#)]
#[case::no_object("[1,null,\"x\"]")]
fn a_document_is_taken_by_value_with_the_digest_of_what_was_printed(#[case] text: &str) {
    for printed in [text.to_owned(), format!("{text}\n"), format!(" \t\r\n{text}\n\n")] {
        let sha256 = Sha256::digest(&printed).into();
        assert_eq!(read(printed.as_bytes()), ReadEnd::Document { document: json(text), sha256 });
        let ReadEnd::Document { document, .. } = read(printed.as_bytes()) else { unreachable!("as seen") };
        assert_eq!(document.to_string(), json(text).to_string(), "every digit");
    }
}

#[rstest]
#[case::nothing(b"", "line 1, column 1")]
#[case::half(b"{\"a\":\n 1", "line 2, column 3")]
#[case::two_values(b"{} {}", "line 1, column 4")]
#[case::a_byte_order_mark(b"\xef\xbb\xbf{}", "line 1, column 1")]
#[case::nan(b"{\"a\":NaN}", "line 1, column 6")]
#[case::no_utf_8(b"{\"a\":\"\xff\"}", "line 1, column 7")]
#[case::a_member_twice(b"{\"a\":1,\n\"a\":2}", "\"a\"")]
#[case::a_single_quote(b"{'a':1}", "line 1, column 2")]
#[case::a_date(b"{\"a\":Date(0)}", "line 1, column 6")]
fn what_is_no_document_is_refused_with_what_is_wrong_and_where(#[case] printed: &[u8], #[case] told: &str) {
    let end = read(printed);
    let ReadEnd::Broken(why) = &end else { panic!("{end:?}") };
    assert!(why.starts_with("the program printed no good document: ") && why.contains(told), "{why}");
}

#[test]
fn a_document_may_be_128_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(matches!(read(nested(128).as_bytes()), ReadEnd::Document { .. }));
    let end = read(nested(129).as_bytes());
    assert!(matches!(&end, ReadEnd::Broken(why) if why.contains("128")), "{end:?}");
}

#[test]
fn a_document_may_be_16_mib_long_and_no_longer() {
    let long = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    assert!(matches!(read(long(16 << 20).as_bytes()), ReadEnd::Document { .. }));
    assert_eq!(read(long((16 << 20) + 1).as_bytes()), ReadEnd::Broken("too much output".to_owned()));
}

/// What a create and an update mean of which the program printed `bytes`; the copy updated is `old`.
#[track_caller]
fn write(bytes: &[u8]) -> [WriteEnd; 2] {
    let bench = Bench::shell("cat printed");
    fs::write(bench.path().join("printed"), bytes).expect("a file");
    let mut turn = bench.turn();
    let created = turn.create(&json("{}"), &Context::empty()).end;
    [created, turn.update(&key("old"), &json("{}"), &Context::empty()).end]
}

fn done(key: Option<&str>) -> WriteEnd {
    WriteEnd::Done { key: key.map(self::key) }
}

#[test]
fn a_key_is_what_was_printed_less_one_newline() {
    for text in ["17", "a key", " 17 ", "-rf", "..", ".-,_", &"x".repeat(1024)] {
        let expected = [done(Some(text)), done(Some(text))];
        assert_eq!(write(text.as_bytes()), expected);
        assert_eq!(write(format!("{text}\n").as_bytes()), expected);
    }
}

#[test]
fn an_update_that_prints_nothing_or_its_own_key_keeps_the_key() {
    for printed in ["", "\n", "old", "old\n"] {
        assert_eq!(write(printed.as_bytes())[1], done(None), "{printed:?}");
    }
}

#[rstest]
#[case::of_a_line_too_many(b"17\n\n", "'\\n'")]
#[case::of_two_lines(b"17\n18\n", "'\\n'")]
#[case::that_ends_as_on_windows(b"17\r\n", "'\\r'")]
#[case::that_a_shell_would_run(b";touch x", "';'")]
#[case::with_a_slash(b"../17", "'/'")]
#[case::beyond_ascii("Käthe".as_bytes(), "'ä'")]
#[case::that_is_no_text(b"17\xff", "not UTF-8 after 2 bytes")]
#[case::of_1025_characters(&[b'x'; 1025], "1024")]
#[case::of_10_kb(&[b'x'; 10 << 10], "1024")]
fn a_bad_key_leaves_the_write_in_doubt(#[case] printed: &[u8], #[case] told: &str) {
    for end in write(printed) {
        let WriteEnd::InDoubt(why) = &end else { panic!("{end:?}") };
        assert!(why.starts_with("the program printed no good key: ") && why.contains(told), "{why}");
    }
}

#[test]
fn a_create_that_prints_no_key_is_in_doubt() {
    for printed in ["", "\n"] {
        let [created, _] = write(printed.as_bytes());
        assert_eq!(created, WriteEnd::InDoubt("the program printed no good key: an empty line".to_owned()));
    }
}

/// What a list and a find mean of which the program printed `bytes`, with the keys that each gave.
fn many(bytes: &[u8]) -> [Result<Vec<String>, String>; 2] {
    let bench = Bench::shell("cat printed");
    fs::write(bench.path().join("printed"), bytes).expect("a file");
    let mut listed = Vec::new();
    let list = bench.program().list(&Context::empty(), &mut |key| {
        listed.push(key.to_string());
        ControlFlow::Continue(())
    });
    let listed = match list.end {
        ListEnd::Done => Ok(listed),
        ListEnd::Broken(why) => Err(why),
        other => panic!("{other:?}"),
    };
    let found = match bench.turn().find(&json("{}"), &Context::empty()).end {
        FindEnd::Keys(keys) => Ok(keys.iter().map(ForeignKey::to_string).collect()),
        FindEnd::Broken(why) => Err(why),
        other => panic!("{other:?}"),
    };
    [listed, found]
}

#[rstest]
#[case::none("", &[])]
#[case::one("17\n", &["17"])]
#[case::an_unfinished_last_line("17\n-18", &["17", "-18"])]
#[case::some("17\na key\n..\n", &["17", "a key", ".."])]
fn keys_are_listed_and_found_one_a_line(#[case] printed: &str, #[case] keys: &[&str]) {
    for found in many(printed.as_bytes()) {
        assert_eq!(found.as_deref(), Ok(keys.iter().map(|key| key.to_string()).collect::<Vec<_>>().as_slice()));
    }
}

#[rstest]
#[case::an_empty_line(b"17\n\n18\n", "line 2: an empty line")]
#[case::a_bad_line(b"17\n18;\n", "line 2: a foreign key is made of")]
#[case::a_bad_last_line(b"17\n18/", "line 2: a foreign key is made of")]
#[case::no_text(b"17\n\xff\n", "line 2: not UTF-8 after 0 bytes")]
fn a_bad_line_breaks_the_list(#[case] printed: &[u8], #[case] told: &str) {
    for found in many(printed) {
        let why = found.expect_err("the list is broken");
        assert!(why.contains(told), "{why}");
    }
}

#[test]
fn a_line_without_end_breaks_the_list_and_fills_no_memory() {
    let bench = Bench::shell("echo 17; exec tr '\\0' x </dev/zero");
    let list = bench.program().list(&Context::empty(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(&list.end, ListEnd::Broken(why) if why.contains("line 2: ")), "{:?}", list.end);
}

#[test]
fn a_list_is_as_long_as_it_likes_and_ends_when_nobody_wants_more() {
    let bench = Bench::shell("exec yes a-key-of-some-length");
    let mut count = 0u64;
    let list = bench.program().list(&Context::empty(), &mut |_| {
        count += 1;
        if count < 2_000_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((list.end, count), (ListEnd::Stopped, 2_000_000));
    assert_eq!(list.run.error, None);
}

#[test]
fn a_list_runs_beside_the_turn_of_its_source_and_no_other_turn_does() {
    let bench = Bench::shell("echo 17");
    let turn = bench.turn();
    let list = bench.program().list(&Context::empty(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(list.end, ListEnd::Done);
    let cancel = retcon::source::process::cancel::Cancel::new().expect("a descriptor is left");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.program().turn(&cancel).map(drop));
        let other = bench.state_dir().join("locks/customer.crm.lock");
        until(|| other.exists().then_some(()), || "the lock has no file");
        cancel.trigger();
        waiting.join().expect("the wait ends").expect_err("the turn is taken");
    });
    drop(turn);
    drop(bench.turn());
}

#[test]
fn a_lock_that_cannot_be_made_is_told_with_its_path() {
    let bench = Bench::shell("exit 0");
    fs::write(bench.state_dir(), "no directory").expect("a file");
    let error = bench.program().turn(&retcon::source::process::cancel::Cancel::never()).expect_err("no directory");
    assert!(error.to_string().contains(&format!("{}/locks", bench.state_dir().display())), "{error}");
    assert!(matches!(WriteEnd::from(&error), WriteEnd::NotStarted(why) if why.contains("Not a directory")));
    assert!(matches!(ReadEnd::from(&error), ReadEnd::Broken(_)));
}

/// The arguments of a run, as its program saw them, one in each item.
fn arguments(words: &[&str], key: &ForeignKey) -> Vec<String> {
    let script = "printf '%s\\0' \"$@\" > seen; printf 17";
    let words = [&["-c", script, "sh"], words].concat();
    let bench = Bench::command("/bin/sh", &words);
    let run = bench.turn().read(key, &Context::empty());
    assert!(matches!(run.end, ReadEnd::Document { .. }), "{run:?}");
    let seen = fs::read_to_string(bench.path().join("seen")).expect("the program wrote it");
    seen.split_terminator('\0').map(str::to_owned).collect()
}

#[rstest]
fn a_key_is_one_argument_or_a_part_of_one(#[values("17", "two words", "-rf", "..", " ", "-- -x", ".,-_")] text: &str) {
    let key = key(text);
    assert_eq!(arguments(&[], &key), [text]);
    assert_eq!(arguments(&["read"], &key), ["read", text]);
    assert_eq!(arguments(&["--", "%fk", "last"], &key), ["--", text, "last"]);
    assert_eq!(
        arguments(&["id=%fk;%fk", "$(touch x) %fk"], &key),
        [format!("id={text};{text}"), format!("$(touch x) {text}")]
    );
    let long = self::key(&"x".repeat(1024));
    assert_eq!(arguments(&["%fk"], &long), [long.as_str()]);
}

#[test]
fn without_a_key_the_arguments_are_as_configured() {
    let bench = Bench::command("/bin/sh", &["-c", "printf '%s\\0' \"$@\" > seen; printf 17", "sh", "create", "%fk"]);
    assert_eq!(bench.turn().create(&json("{}"), &Context::empty()).end, done(Some("17")));
    assert_eq!(fs::read_to_string(bench.path().join("seen")).expect("the program wrote it"), "create\0%fk\0");
}

#[test]
fn stdin_is_the_document_as_one_line_or_nothing() {
    let bench = Bench::shell("cat > seen; printf 17");
    let seen = || fs::read_to_string(bench.path().join("seen")).expect("the program wrote it");
    let document = json("{ \"b\" : [1.50, \"\\u0000 \\ud800 é\\n\"],\n \"a\": 1e400 }");
    let line = format!("{document}\n");
    assert_eq!(line, "{\"a\":1e400,\"b\":[1.50,\"\\u0000 \\ud800 é\\n\"]}\n");
    let (mut turn, context) = (bench.turn(), Context::empty());
    turn.create(&document, &context);
    assert_eq!(seen(), line);
    turn.update(&key("1"), &document, &context);
    assert_eq!(seen(), line);
    turn.find(&document, &context);
    assert_eq!(seen(), line);
    turn.read(&key("1"), &context);
    assert_eq!(seen(), "");
    turn.delete(&key("1"), &context);
    assert_eq!(seen(), "");
    bench.program().list(&context, &mut |_| ControlFlow::Continue(()));
    assert_eq!(seen(), "");
}

/// The environment in which each operation ran.
fn environments(bench: &Bench) -> Vec<(&'static str, Vec<String>)> {
    let context = Context {
        internal_key: Some(InternalKey(42)),
        operation_id: Some(OperationId(uuid::uuid!("01890a5d-ac96-774b-bcce-b302099a8057"))),
        expected_sha256: Some(Sha256::digest(b"{}").into()),
        ..Context::empty()
    };
    let seen = |_run: Run| {
        let bytes = fs::read(bench.path().join("seen")).expect("the program wrote it");
        let text = String::from_utf8(bytes).expect("it is text");
        let mut lines: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (mut turn, old, document) = (bench.turn(), key("a key"), json("{}"));
    vec![
        ("create", seen(turn.create(&document, &context).run)),
        ("read", seen(turn.read(&old, &context).run)),
        ("update", seen(turn.update(&old, &document, &context).run)),
        ("delete", seen(turn.delete(&old, &context).run)),
        ("find", seen(turn.find(&document, &context).run)),
        ("list", seen(bench.program().list(&context, &mut |_| ControlFlow::Continue(())).run)),
    ]
}

#[test]
fn the_environment_is_the_documented_one_and_nothing_else() {
    if !is_alone() {
        let shell = "exec env -i PATH=/usr/bin:/bin HOME=/home/ann LANG=C TZ=UTC TMPDIR=/tmp SECRET=1 RETCON_CONFIG=x \
                     RETCON_TOKEN=x RETCON__DATABASE__URL=x RETCON_KEY=x RETCON_IT_ALONE=1 \"$@\"";
        run_alone("documents::the_environment_is_the_documented_one_and_nothing_else", shell);
        return;
    }
    let bench = Bench::shell("cat /proc/self/environ > seen; printf 17").with(|source| {
        // By the former the program may type `retcon notify`.
        source.env = [("RETCON_CONFIG", "its own"), ("CRM_URL", "https://crm"), ("TZ", "Europe/Berlin")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    });
    let common = [
        "CRM_URL=https://crm",
        "HOME=/home/ann",
        "LANG=C",
        "PATH=/usr/bin:/bin",
        "RETCON_CONFIG=its own",
        "RETCON_ENTITY=customer",
        "RETCON_INTERNAL_KEY=42",
        "RETCON_SOURCE=crm",
        "TMPDIR=/tmp",
        "TZ=Europe/Berlin",
    ];
    let id = "RETCON_OPERATION_ID=01890a5d-ac96-774b-bcce-b302099a8057";
    let sha = "RETCON_EXPECTED_SHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let old = "RETCON_KEY=a key";
    let mut marks = BTreeSet::new();
    for (operation, mut seen) in environments(&bench) {
        let own: &[&str] = match operation {
            "create" => &[id],
            "read" => &[old],
            "update" | "delete" => &[id, sha, old],
            _ => &[],
        };
        let operation = format!("RETCON_OPERATION={operation}");
        let mut expected: Vec<&str> = [&common[..], own, &[operation.as_str()]].concat();
        expected.sort_unstable();
        // The shell sets `PWD` for itself.
        seen.retain(|entry| !entry.starts_with("PWD=") && !entry.starts_with("_="));
        let mark = seen.iter().position(|entry| entry.starts_with("RETCON_RUN_ID="));
        assert!(marks.insert(seen.remove(mark.expect("every run has a mark"))), "each run has a mark of its own");
        assert_eq!(seen, expected, "of {operation}");
    }
}

#[test]
fn what_is_not_known_is_not_told() {
    let bench = Bench::shell("cat /proc/self/environ > seen; printf 17");
    bench.turn().update(&key("1"), &json("{}"), &Context::empty());
    let seen = fs::read_to_string(bench.path().join("seen")).expect("the program wrote it");
    for name in ["RETCON_INTERNAL_KEY", "RETCON_OPERATION_ID", "RETCON_EXPECTED_SHA256"] {
        assert!(!seen.contains(name), "{seen}");
    }
}

#[test]
fn programs_run_in_the_directory_of_the_configuration() {
    let bench = Bench::command("./no-interpreter", &[]).with(|source| source.directory = testing("sources"));
    let end = bench.turn().read(&key("1"), &Context::empty()).end;
    assert!(matches!(&end, ReadEnd::Broken(why) if why.contains("Exec format")), "it was found there: {end:?}");
    let bench = Bench::shell("pwd > seen; printf 17");
    bench.turn().read(&key("1"), &Context::empty());
    let seen = fs::read_to_string(bench.path().join("seen")).expect("the program wrote it");
    assert_eq!(seen.trim_end(), bench.path().canonicalize().expect("it is there").display().to_string());
}
