use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::{Encoded, JsonText, decode, decode_list, encode, encode_list};
use crate::domain::json::Json;
use crate::domain::merge::{Change, Conflict, ConflictKind, Contender, Decision, Overruled};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, DoubtId, Settlement};
use crate::domain::text::Text;
use crate::store::columns::Word;
use crate::store::requests::queue::{Choice, Deed, Order, Together};

fn json(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Strings as JSON writes them, with every kind of escape; some are lone surrogates.
fn texts() -> impl Strategy<Value = Text> {
    let piece = prop_oneof![
        4 => "[ -~]{0,4}".prop_map(|plain| plain.replace('\\', "\\\\").replace('"', "\\\"")),
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        1 => prop::sample::select(vec!["\\u0000", "\\ud800", "\\udc00", "~", "/", "~0", "\u{1F600}"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| match json(&format!("\"{}\"", pieces.concat())) {
        Json::String(text) => text,
        other => panic!("{other} is no string"),
    })
}

fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,9})?".prop_map(|number| json(&number)),
        texts().prop_map(Json::String),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn maybe() -> impl Strategy<Value = Option<Json>> {
    prop::option::of(values())
}

fn pointers() -> impl Strategy<Value = Pointer> {
    prop::collection::vec(texts(), 0..4)
        .prop_map(|names| names.iter().fold(Pointer::root(), |above, name| above.child(name)))
}

fn source() -> impl Strategy<Value = SourceName> {
    "[A-Za-z0-9_-]{1,8}".prop_map(|name| name.parse().expect("a name"))
}

fn sources() -> impl Strategy<Value = Vec<SourceName>> {
    prop::collection::vec(source(), 0..3)
}

fn changes() -> impl Strategy<Value = Change> {
    (pointers(), maybe(), maybe(), sources()).prop_map(|(path, before, after, sources)| Change {
        path,
        before,
        after,
        sources,
    })
}

fn contenders() -> impl Strategy<Value = Contender> {
    (sources(), maybe()).prop_map(|(sources, value)| Contender { sources, value })
}

fn conflicts() -> impl Strategy<Value = Conflict> {
    let kind = prop::sample::select(ConflictKind::ALL);
    (pointers(), kind, maybe(), prop::collection::vec(contenders(), 0..3))
        .prop_map(|(path, kind, agreed, contenders)| Conflict { path, kind, agreed, contenders })
}

fn overruled() -> impl Strategy<Value = Overruled> {
    (pointers(), source(), maybe()).prop_map(|(path, source, value)| Overruled { path, source, value })
}

fn bases() -> impl Strategy<Value = Base> {
    let places = || prop::collection::vec(pointers(), 0..3);
    (maybe(), places(), maybe(), places()).prop_map(|(shadow, unknown, ack, owed)| Base { shadow, unknown, ack, owed })
}

fn orders() -> impl Strategy<Value = Order> {
    let decision = || {
        prop_oneof![
            source().prop_map(Decision::Take),
            values().prop_map(Decision::Value),
            Just(Decision::Absent),
            Just(Decision::Keep),
        ]
    };
    let choice = (any::<i64>(), any::<i64>(), decision()).prop_map(|(conflict, revision, decision)| Choice {
        conflict,
        revision,
        decision,
    });
    let deed = prop_oneof![
        any::<i64>().prop_map(|version| Deed::Undo { version }),
        prop::collection::vec(choice, 0..3).prop_map(Deed::Resolve),
    ];
    let shown = "[0-9]{1,9};[0-9a-f]{32}(;[a-z]{1,3}=[0-9a-f]{32})?".prop_map(|text| text.parse().unwrap());
    let settlement = prop_oneof![
        "[A-Za-z0-9., _-]{1,12}".prop_map(|key| Settlement::Key(key.parse().unwrap())),
        Just(Settlement::Absent)
    ];
    prop_oneof![
        any::<i64>().prop_map(|version| Order::Undo { version }),
        (any::<i64>(), settlement).prop_map(|(doubt, settlement)| Order::Settle { doubt: DoubtId(doubt), settlement }),
        (deed, shown).prop_map(|(deed, shown)| Order::AsShown { deed, shown }),
        (any::<i64>(), any::<i64>(), decision(), prop::option::of((any::<i64>(), ".{0,9}"))).prop_map(
            |(conflict, revision, decision, together)| {
                let together = together.map(|(batch, who)| Together { batch, who });
                Order::Resolve { conflict, revision, decision, together }
            }
        ),
    ]
}

/// Reads the text again, and finds it written without a character that PostgreSQL would refuse.
fn comes_back<T: Encoded + PartialEq + std::fmt::Debug>(value: &T) -> Result<(), proptest::test_runner::TestCaseError> {
    let text = encode(value);
    prop_assert_eq!(text.0.find('\0'), None);
    prop_assert_eq!(&decode::<T>(&text).expect("it was just written"), value);
    let list = encode_list(std::slice::from_ref(value));
    prop_assert_eq!(&decode_list::<T>(&list).expect("it was just written"), std::slice::from_ref(value));
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        (change, contender, conflict) in (changes(), contenders(), conflicts()),
        (overruled, base, order, pointer) in (overruled(), bases(), orders(), pointers()),
    ) {
        comes_back(&change)?;
        comes_back(&contender)?;
        comes_back(&conflict)?;
        comes_back(&overruled)?;
        comes_back(&base)?;
        comes_back(&order)?;
        comes_back(&pointer)?;
    }
}

#[test]
fn absence_is_not_null() {
    let path = Pointer::root();
    let change = Change { path, before: None, after: Some(Json::Null), sources: Vec::new() };
    assert_eq!(encode(&change).0, r#"{"path":"","after":null,"sources":[]}"#);
    let absent = Contender { sources: vec!["crm".parse().expect("a name")], value: None };
    assert_eq!(encode(&absent).0, r#"{"sources":["crm"],"absent":true}"#);
    let null = Contender { value: Some(Json::Null), ..absent };
    assert_eq!(encode(&null).0, r#"{"sources":["crm"],"value":null}"#);
}

#[test]
fn documents_stand_inside_at_their_full_depth() {
    let deepest = json(&("[".repeat(Json::MAX_DEPTH) + &"]".repeat(Json::MAX_DEPTH)));
    let conflict = Conflict {
        path: Pointer::root(),
        kind: ConflictKind::Held,
        agreed: Some(deepest.clone()),
        contenders: vec![Contender { sources: Vec::new(), value: Some(deepest) }],
    };
    let list = std::slice::from_ref(&conflict);
    assert_eq!(decode_list::<Conflict>(&encode_list(list)).expect("it was just written"), list);
}

#[test]
fn what_was_never_written_is_refused() {
    for text in [
        r#"{"sources":["crm"]}"#,
        r#"{"sources":["crm"],"value":1,"absent":true}"#,
        r#"{"sources":["c r m"],"value":1}"#,
        r#"{"sources":["crm"],"value":{"a":1,"a":2}}"#,
        "null",
    ] {
        assert!(decode::<Contender>(&JsonText(text.to_owned())).is_err(), "{text}");
    }
    for kind in ConflictKind::ALL {
        assert_eq!(ConflictKind::of_word(kind.word()).expect("its own word"), *kind);
    }
    assert!(ConflictKind::of_word("quarrel").is_err());
}
