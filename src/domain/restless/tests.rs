//! When a look finds that sources undo each other, told turn by turn.

use std::collections::BTreeMap;

use super::*;
use crate::domain::history::sample::{json, rules};
use crate::domain::key::InternalKey;
use crate::domain::plan::{Fate, Limited};
use crate::domain::record::{Record, RecordState};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What has happened to a record, whose turns come at even distances.
struct Tale {
    agreed: Json,
    told: Vec<Recent>,
    pause: Duration,
}

fn tale(agreed: &str, pause_s: u64) -> Tale {
    let tale = Tale { agreed: json(agreed), told: Vec::new(), pause: Duration::from_secs(pause_s) };
    tale.version(
        "sync",
        vec![Change { path: Pointer::root(), before: None, after: Some(json(agreed)), sources: vec![] }],
    )
}

impl Tale {
    fn version(mut self, cause: &str, changes: Vec<Change>) -> Self {
        for change in &changes {
            self.agreed =
                patch::put(Some(self.agreed), &change.path, change.after.clone(), &rules()).expect("it lives");
        }
        self.told.iter_mut().for_each(|version| version.age += self.pause);
        let cause = Json::object([("kind", cause.into())]);
        self.told.push(Recent { age: Duration::ZERO, cause, changes, overruled: Vec::new() });
        self
    }

    /// Some sources let a value stand at a place, or nothing.
    fn says(self, sources: &str, path: &str, value: Option<&str>) -> Self {
        self.because("sync", sources, path, value)
    }

    fn because(self, cause: &str, sources: &str, path: &str, value: Option<&str>) -> Self {
        let path: Pointer = path.parse().expect("a pointer");
        let before = patch::find(&self.agreed, &path, &rules()).cloned();
        let sources = sources.split(',').filter(|name| !name.is_empty()).map(|name| name.parse().expect("a name"));
        let change = Change { before, path, after: value.map(json), sources: sources.collect() };
        self.version(cause, vec![change])
    }

    /// A source says something and is overruled.
    fn loses(self, source: &str, path: &str, value: Option<&str>) -> Self {
        let (path, source) = (path.parse().expect("a pointer"), source.parse().expect("a name"));
        let mut tale = self.version("sync", Vec::new());
        tale.told.last_mut().expect("a version").overruled.push(Overruled { path, source, value: value.map(json) });
        tale
    }

    /// The places at which the last version, if it were about to be recorded, would be found to be one too many.
    fn fights(&self) -> Vec<String> {
        let (now, recent) = self.told.split_last().expect("a version");
        let plan = plan(now, self.told.len() as i64, Some(self.agreed.clone()));
        fights(&plan, recent, &rules()).iter().map(Pointer::to_string).collect()
    }
}

/// What is about to be recorded as this version.
fn plan(now: &Recent, version: i64, agreed: Option<Json>) -> Plan {
    Plan {
        record: Record { id: InternalKey(1), state: RecordState::Live, version, agreed },
        cause: now.cause.clone(),
        changes: now.changes.clone(),
        overruled: now.overruled.clone(),
        conflicts: Vec::new(),
        links: BTreeMap::new(),
        retired: Vec::new(),
        ended: Vec::new(),
        writes: BTreeMap::new(),
        owed: BTreeMap::new(),
        in_doubt: BTreeMap::new(),
        limited: Limited::default(),
        fate: Fate::Done,
        warnings: Vec::new(),
    }
}

/// Repeats moves until one of them is found to be one too many; gives how many were let through, and the place.
fn moves(mut tale: Tale, moves: &[(&str, &str, Option<&str>)]) -> Option<(usize, String)> {
    for (number, (source, path, value)) in moves.iter().cycle().take(200).enumerate() {
        tale = tale.says(source, path, *value);
        if let Some(place) = tale.fights().pop() {
            return Some((number, place));
        }
    }
    None
}

const SPELLINGS: [(&str, &str, Option<&str>); 2] =
    [("crm", "/ext", Some(r#""X1""#)), ("billing", "/ext", Some(r#""x1""#))];

#[test]
fn two_sources_that_spell_a_value_each_in_its_way_are_stopped_after_five_moves() {
    assert_eq!(moves(tale(r#"{"ext":"x1"}"#, 1), &SPELLINGS), Some((5, "/ext".to_owned())));
    assert_eq!(moves(tale(r#"{"ext":"x1"}"#, 10 * MINUTE), &SPELLINGS), Some((5, "/ext".to_owned())));
}

#[test]
fn nightly_jobs_that_only_spell_are_stopped_and_people_who_change_a_value_twice_a_day_are_not() {
    assert_eq!(moves(tale(r#"{"ext":"x1"}"#, DAY / 2), &SPELLINGS), Some((5, "/ext".to_owned())));
    let in_and_out = [("door", "/at", Some(r#""in""#)), ("clock", "/at", Some(r#""out""#))];
    assert_eq!(moves(tale("{}", DAY / 2), &in_and_out), None);
    assert_eq!(moves(tale("{}", HOUR / 2), &in_and_out), None);
    assert_eq!(moves(tale("{}", 3 * DAY), &SPELLINGS), None);
}

#[test]
fn what_is_only_spelled_otherwise_is_told_by_letters_and_digits() {
    let slow = |one: Option<&str>, other: Option<&str>| {
        moves(tale("{}", DAY / 2), &[("crm", "/v", one), ("billing", "/v", other)]).is_some()
    };
    for (one, other) in [
        (r#""+49 (30) 123""#, r#""+4930123""#),
        (r#""Ren\u00e9""#, r#""RENE\u0301""#),
        (r#"["a","b"]"#, r#"["b","a"]"#),
        (r#"{"x":"A","y":""}"#, r#"{"x":"a"}"#),
    ] {
        assert!(slow(Some(one), Some(other)), "{one} and {other}");
    }
    assert!(slow(None, Some(r#""""#)));
    assert!(slow(Some("null"), Some("[]")));
    assert!(!slow(None, Some(r#""0""#)));
    assert!(!slow(Some("1"), Some("2")));
    assert!(!slow(Some(r#""Germany""#), Some(r#""DE""#)));
}

#[test]
fn a_person_who_sets_a_value_to_and_fro_in_one_system_is_never_stopped() {
    let toggled = [("crm", "/on", Some("true")), ("crm", "/on", Some("false"))];
    assert_eq!(moves(tale("{}", 1), &toggled), None);
    // Not even where another source spells each of the values in its way; that fight ends by itself.
    let spelled = [
        ("crm", "/on", Some(r#""yes""#)),
        ("billing", "/on", Some(r#""YES""#)),
        ("crm", "/on", Some(r#""no""#)),
        ("billing", "/on", Some(r#""NO""#)),
    ];
    assert_eq!(moves(tale("{}", 2 * MINUTE), &spelled), None);
}

#[test]
fn a_cycle_of_three_sources_is_stopped() {
    let cycle = [("a", "/v", Some("1")), ("b", "/v", Some("2")), ("c", "/v", Some("3"))];
    assert_eq!(moves(tale("{}", 1), &cycle), Some((6, "/v".to_owned())));
}

#[test]
fn a_member_that_one_source_drops_and_another_adds_is_stopped() {
    let dropped = [("crm", "/fax", None), ("billing", "/fax", Some(r#""""#))];
    assert_eq!(moves(tale(r#"{"fax":"1"}"#, 1), &dropped), Some((5, "/fax".to_owned())));
    // Where all of an object goes, and a part of it comes.
    let part = [("crm", "/a", None), ("billing", "/a/city", Some("1"))];
    let (moves, _) = moves(tale(r#"{"a":{"city":2}}"#, 1), &part).expect("it is found");
    assert_eq!(moves, 5);
}

#[test]
fn elements_of_arrays_are_told_from_their_neighbours() {
    let keyed = [("crm", "/phones/home/no", Some(r#""A""#)), ("billing", "/phones/home/no", Some(r#""a""#))];
    assert_eq!(moves(tale(r#"{"phones":[{"type":"home"}]}"#, 1), &keyed), Some((5, "/phones/home/no".to_owned())));
    // The set grows by an element of its own with each move.
    let mut tale = tale(r#"{"tags":["vip"]}"#, 1);
    let mut grown = String::new();
    for number in 0..8 {
        grown.push_str(&format!(r#","{number}""#));
        let tags = |vip: &str| format!("[{}]", format!("{vip}{grown}").trim_start_matches(','));
        let (source, value) = if number % 2 == 0 { ("crm", tags("")) } else { ("billing", tags(r#""vip""#)) };
        tale = tale.says(source, "/tags", Some(&value));
        assert_eq!(tale.fights().is_empty(), number < 5, "move {number}: {value}");
    }
}

#[test]
fn different_elements_of_a_set_that_come_and_go_are_no_fight() {
    let mut tale = tale(r#"{"tags":["x"]}"#, 1);
    for number in 0..20 {
        let source = if number % 2 == 0 { "crm" } else { "billing" };
        tale = tale.says(source, "/tags", Some(&format!(r#"["x","{number}"]"#)));
        assert_eq!(tale.fights(), [""; 0], "move {number}");
    }
}

#[test]
fn a_source_that_is_overruled_again_and_again_is_stopped() {
    let mut tale = tale(r#"{"mail":"a"}"#, 1);
    for number in 0..5 {
        assert_eq!(tale.fights(), [""; 0], "move {number}");
        tale = tale.loses("billing", "/mail", Some(r#""A""#));
    }
    assert_eq!(tale.fights(), ["/mail"]);
}

#[test]
fn sources_that_answer_each_other_with_ever_new_values_are_stopped_in_the_end() {
    let stamped = |sources: &[&str]| {
        let mut tale = tale(r#"{"stamp":0}"#, 5);
        for number in 1..100 {
            let source = sources[number % sources.len()];
            tale = tale.says(source, "/stamp", Some(&number.to_string()));
            if !tale.fights().is_empty() {
                return Some(number);
            }
        }
        None
    };
    assert_eq!(stamped(&["crm", "billing"]), Some(33));
    assert_eq!(stamped(&["crm", "billing", "ldap"]), Some(33));
    // A source that goes on where nobody has answered it follows no one.
    assert_eq!(stamped(&["crm"]), None);
    assert_eq!(stamped(&["crm", "billing", "crm", "billing", "billing"]), None);
}

#[test]
fn what_a_person_decides_begins_the_count_anew() {
    let fight = |tale: Tale, moves: usize| {
        let turns = SPELLINGS.iter().cycle().take(moves);
        turns.fold(tale, |tale, (source, path, value)| tale.says(source, path, *value))
    };
    let begun = || fight(tale(r#"{"ext":"x1"}"#, 1), 5);
    assert_eq!(fight(begun(), 2).fights(), ["/ext"]);
    for (cause, place) in [("resolution", "/ext"), ("undo", "/ext"), ("undo", "")] {
        let value = if place.is_empty() { r#"{"ext":"x1"}"# } else { r#""x1""# };
        let decided = begun().because(cause, "billing", place, Some(value));
        let (moves, place) = moves(decided, &SPELLINGS).expect("the fight is found again");
        assert_eq!((moves, place.as_str()), (5, "/ext"), "after {cause} at {place:?}");
    }
    let elsewhere = begun().because("resolution", "", "/other", Some("1"));
    assert_eq!(elsewhere.says("billing", "/ext", Some(r#""x1""#)).fights(), ["/ext"]);
}

#[test]
fn the_history_is_asked_only_where_there_may_have_been_a_fight() {
    let suspected = |tale: &Tale, cause: &str, version: i64| {
        let now = tale.told.last().expect("a version");
        let plan = plan(&Recent { cause: Json::object([("kind", cause.into())]), ..now.clone() }, version, None);
        suspects(&plan).into_iter().map(Pointer::to_string).collect::<Vec<_>>()
    };
    let changed = tale("{}", 1).says("crm", "/v", Some("1"));
    assert_eq!(suspected(&changed, "sync", 6), ["/v"]);
    assert_eq!(suspected(&changed, "sync", 5), [""; 0]);
    assert_eq!(suspected(&changed, "resolution", 6), [""; 0]);
    assert_eq!(suspected(&tale("{}", 1).loses("crm", "/v", None), "sync", 6), ["/v"]);
    assert_eq!(suspected(&tale("{}", 1).says("", "/v", Some("1")), "sync", 6), [""; 0]);
}
