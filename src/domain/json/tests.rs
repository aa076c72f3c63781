use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest};

use super::{Json, Number, Text};
use crate::domain::text::TextBuilder;

fn parsed(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &[u8], expected: &str) {
    let shown = String::from_utf8_lossy(text);
    match Json::parse(text) {
        Ok(value) => panic!("{shown} was taken for {value}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{shown}"),
    }
}

#[test]
fn what_is_refused_is_named_with_its_place() {
    for (text, expected) in [
        (&b""[..], "expected a value, the text ends at line 1, column 1"),
        (b"{\"a\":1,\n \"\\u0061\":2}", "the member \"a\" stands twice at line 2, column 2"),
        (b"\xEF\xBB\xBF{}", "the text begins with a byte order mark at line 1, column 1"),
        (b"[\"\xC3\xA9\xC3\"]", "the text is not UTF-8 at line 1, column 4"),
        (b"\"\xED\xA0\x80\"", "the text is not UTF-8 at line 1, column 2"),
        (b"[NaN]", "\"NaN\" is not a JSON value at line 1, column 2"),
        (b"-Infinity", "\"-Infinity\" is not a JSON value at line 1, column 1"),
        (b"01", "\"01\" is not a JSON value at line 1, column 1"),
        (b"+1", "\"+1\" is not a JSON value at line 1, column 1"),
        (b"{} {}", "expected the end of the text, found \"{\" at line 1, column 4"),
        (b"{\"a\" 1}", "expected \":\", found \"1\" at line 1, column 6"),
        (b"{a:1}", "expected a member name in quotes, found \"a\" at line 1, column 2"),
        (b"{\"a\":1,}", "expected a member name in quotes, found \"}\" at line 1, column 8"),
        (b"[1,]", "expected a value, found \"]\" at line 1, column 4"),
        (b"[1 2]", "expected \",\" or \"]\", found \"2\" at line 1, column 4"),
        (b"{\"a\":1", "expected \",\" or \"}\", the text ends at line 1, column 7"),
        (b"\"a\nb\"", "a control character stands in a string unescaped at line 1, column 3"),
        (b"\"abc", "expected the end of the string, the text ends at line 1, column 5"),
        (b"\"\\x\"", "a backslash begins no escape of JSON at line 1, column 2"),
        (b"\"\\u12g4\"", "a backslash begins no escape of JSON at line 1, column 2"),
        (b"\"\\u12\"", "a backslash begins no escape of JSON at line 1, column 2"),
        (b"\"\\u+123\"", "a backslash begins no escape of JSON at line 1, column 2"),
        (b"\"\\", "a backslash begins no escape of JSON at line 1, column 2"),
        (b"'a'", "expected a value, found \"'\" at line 1, column 1"),
        (b"\x0b1", "expected a value, found \"\\u000b\" at line 1, column 1"),
    ] {
        refused(text, expected);
    }
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(Json::parse(nested(128).as_bytes()).is_ok());
        let error = Json::parse(nested(129).as_bytes()).expect_err("129 is too deep");
        assert_eq!(error.problem, "nesting deeper than 128");
    }
    assert!(Json::parse(&[b'['; 1_000_000]).is_err());
}

#[test]
fn depth_counts_what_the_parser_bounds() {
    for (text, depth) in [("1", 0), ("[]", 1), ("{}", 1), (r#"{"a":[1,{"b":2}],"c":3}"#, 3)] {
        assert_eq!(text.parse::<Json>().expect("it is JSON").depth(), depth, "{text}");
    }
}

#[test]
fn quotations_in_errors_are_short() {
    let long = "x".repeat(100_000);
    let error = Json::parse(format!("{{\"{long}\":1,\"{long}\":2}}").as_bytes()).expect_err("it stands twice");
    assert!(error.problem.len() < 100, "{}", error.problem);
}

#[test]
fn everything_survives_a_round_trip() {
    for text in [
        r#"12345678901234567890.10"#,
        r#"1e400"#,
        r#"1E+999999999999999999999999"#,
        r#""\u0000""#,
        r#""\ud800 \udc00\ud800""#,
        "\"\u{1F600}\"",
        r#"{"$serde_json::private::Number":"12","$serde_json::private::RawValue":"[]","a/b~c":null}"#,
        r#"[true,false,null,[],{},""]"#,
    ] {
        assert_eq!(parsed(text).to_string(), text);
        let field = Envelope { document: parsed(text), extra: Some(Json::Null) };
        let sent = serde_json::to_string(&field).expect("it can be sent");
        assert_eq!(sent, format!(r#"{{"document":{text},"extra":null}}"#));
        assert_eq!(serde_json::from_str::<Envelope>(&sent).expect("it can be read"), field);
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Envelope {
    document: Json,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    extra: Option<Json>,
}

#[test]
fn what_is_refused_is_refused_inside_a_message() {
    for document in [r#"{"a":1,"a":2}"#.to_owned(), "[".repeat(129) + &"]".repeat(129)] {
        let sent = format!(r#"{{"document":{document}}}"#);
        assert!(serde_json::from_str::<Envelope>(&sent).is_err(), "{sent} was accepted");
    }
    let absent: Envelope = serde_json::from_str(r#"{"document":0}"#).expect("a member may be left out");
    assert_eq!(absent.extra, None);
}

#[test]
fn the_deepest_document_passes_through_a_message() {
    let deep = parsed(&("[".repeat(128) + &"]".repeat(128)));
    let field = Envelope { document: deep, extra: None };
    let sent = serde_json::to_string(&field).expect("it can be sent");
    assert_eq!(serde_json::from_str::<Envelope>(&sent).expect("it can be read"), field);
}

#[test]
fn values_are_equal_whatever_their_spelling() {
    assert_eq!(parsed(r#"{"a":1.0,"b":[1e2]}"#), parsed(r#" { "b" : [ 100 ] , "\u0061" : 1 } "#));
    assert_eq!(parsed(r#""\ud83d\ude00\/""#), parsed("\"\u{1F600}/\""));
    assert_ne!(parsed("[1,2]"), parsed("[2,1]"));
    assert_ne!(parsed("null"), parsed("0"));
}

#[test]
fn members_are_found_by_name() {
    let value = parsed(r#"{"a":{"b":1}}"#);
    assert_eq!(value.member("a").and_then(|a| a.member("b")), Some(&Json::from(1)));
    assert_eq!(value.member("b"), None);
    assert_eq!(Json::Null.member("a"), None);
}

#[test]
fn serde_values_are_given_where_they_can_hold_it() {
    let value = parsed(r#"{"a":[1.10,1e400,"\u0000",true,null]}"#);
    let given = value.to_serde().expect("it has no lone surrogate");
    assert_eq!(parsed(&given.to_string()), value);
    assert_eq!(parsed(r#"["\ud800"]"#).to_serde(), None);
    assert_eq!(parsed(r#"{"\ud800":1}"#).to_serde(), None);
}

/// Texts with every kind of code unit.
fn texts() -> impl Strategy<Value = Text> {
    let unit = prop_oneof![4 => 0x20_u16..0x7F, 1 => 0_u16..0x20, 2 => 0xD700_u16..0xE100, 1 => any::<u16>()];
    prop::collection::vec(unit, 0..8).prop_map(|units| {
        let mut builder = TextBuilder::default();
        units.into_iter().for_each(|unit| builder.push_unit(unit));
        builder.finish()
    })
}

fn values() -> impl Strategy<Value = Json> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,50})?";
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(|text| Json::Number(Number::parse(&text).expect("it keeps the grammar"))),
        texts().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(texts(), inner, 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in values()) {
        let text = value.to_string();
        prop_assert!(!text.contains('\n'));
        let back = parsed(&text);
        prop_assert_eq!(back.to_string(), text);
        prop_assert_eq!(back, value);
    }

    /// Where no member stands twice and nothing is nested deep, this parser and `serde_json` accept the same texts.
    #[test]
    fn mutated_texts_are_accepted_like_serde_json_does(value in values(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..3)) {
        let mut text = value.to_string().into_bytes();
        for (at, byte, what) in cuts {
            let at = at.index(text.len());
            match what {
                0 => text[at] = byte,
                1 => text.insert(at, b"{}[]\",:\\u0e-+. \n"[usize::from(byte) % 16]),
                _ => { text.remove(at); }
            }
            text.resize(text.len().max(1), b' ');
        }
        let ours = Json::parse(&text);
        prop_assume!(!ours.as_ref().is_err_and(|error| error.problem.ends_with("stands twice")));
        let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(ours.is_ok(), theirs, "{}: {:?}", String::from_utf8_lossy(&text), ours);
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Json::parse(&bytes);
    }
}
