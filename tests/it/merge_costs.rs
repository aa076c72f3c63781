//! What a merge costs, in what no clock can tell: allocations, and instructions beside those of reading what it is asked.
//!
//! `retcon merge` runs under callgrind, which counts both while `Json::parse` and `merge` are at work.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{program, run};

const PARSE: &str = "retcon::domain::json::Json::parse";
const MERGE: &str = "retcon::domain::merge::merge";

/// What was edited since the copies were last in step: in which of them, where, to what.
type Edit = (usize, &'static str, &'static str);

/// The allocations are exact. Who makes them fewer writes down the new number; who makes them more has a reason. So are the instructions
/// of one compiler, two runs of which differ in none; between compilers there is room for a tenth. `most` is how many a merge may take for a
/// thousand of those that reading its question takes: that is ten documents, the agreed one, and of each of three copies the shadow, the
/// ack and the reading.
#[rstest]
#[case::nothing_changed(&[], 10, 30)]
#[case::one_edit(&[(1, "/balance", "99.125")], 54, 230)]
#[case::two_edits(&[(1, "/balance", "99.125"), (2, "/contacts/sales/name", "1")], 129, 340)]
#[case::a_conflict(&[(1, "/email", "1"), (2, "/email", "2")], 79, 270)]
#[case::keyed_arrays(&[(1, "/phones/0/number", "1"), (2, "/phones/1/ext", "2")], 211, 380)]
fn a_merge_copies_nothing_but_what_leads_to_an_edit(
    #[case] edits: &[Edit],
    #[case] allocations: u64,
    #[case] most: u64,
) {
    let question = question(&customer(), edits);
    let (parse, merge) = (Cost::of(PARSE, &question), Cost::of(MERGE, &question));
    assert_eq!(merge.allocations, allocations, "{merge:?}");
    let instructions = merge.instructions * 1000 / parse.instructions;
    assert!(instructions <= most, "{instructions}: {merge:?} {parse:?}");
}

#[test]
fn a_merge_of_large_documents_allocates_as_often_as_one_of_small_ones() {
    let edits = [(1, "/balance", "99.125"), (2, "/b3/contacts/sales/name", "1")];
    let merge = |branches: usize| {
        let mut document = customer();
        (0..branches).for_each(|number| document[format!("b{number}")] = customer());
        Cost::of(MERGE, &question(&document, &edits))
    };
    let (small, large) = (merge(10), merge(80));
    assert!(large.instructions < 10 * small.instructions, "{small:?} {large:?}");
    // A few lists of members grow step by step.
    assert!(large.allocations <= small.allocations + 10, "{small:?} {large:?}");
}

/// What a function cost in a run of `retcon merge`.
#[derive(Debug)]
struct Cost {
    instructions: u64,
    allocations: u64,
}

impl Cost {
    /// Counts from the function's beginning to its end; callgrind does so for one function in a run.
    fn of(function: &str, question: &Value) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut valgrind = program("valgrind");
        valgrind.args(["--tool=callgrind", "--compress-strings=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", directory.path().join("out").display()));
        valgrind.args([format!("--zero-before={function}"), format!("--dump-after={function}")]);
        valgrind.args([env!("CARGO_BIN_EXE_retcon"), "merge"]);
        let run = run(&mut valgrind, question.to_string().as_bytes()).exits(0);
        let text = fs::read(directory.path().join("out.1")).unwrap_or_else(|error| panic!("no counts: {error}{run}"));
        let text = String::from_utf8_lossy(&text);
        let instructions = text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("a total");
        Self { instructions: instructions.parse().expect("a number"), allocations: allocations(&text) }
    }
}

/// Counts the calls of the C library's allocator.
fn allocations(text: &str) -> u64 {
    let pairs = text.lines().zip(text.lines().skip(1));
    let calls = pairs.filter(|(callee, _)| matches!(*callee, "cfn=malloc" | "cfn=calloc" | "cfn=realloc"));
    let count = |line: &str| line.strip_prefix("calls=").and_then(|calls| calls.split(' ').next()?.parse::<u64>().ok());
    calls.map(|(_, line)| count(line).unwrap_or_else(|| panic!("no calls: {line}"))).sum()
}

/// Asks for a merge of three copies of a document; nothing in it is shared.
fn question(document: &Value, edits: &[Edit]) -> Value {
    let copy = |position: usize| {
        let mut current = document.clone();
        for (_, place, value) in edits.iter().filter(|(copy, ..)| *copy == position) {
            *current.pointer_mut(place).expect("it is there") = value.parse().expect("it is JSON");
        }
        json!({"shadow": document, "ack": document, "current": current})
    };
    let arrays = json!({"/phones": {"key": "type"}});
    json!({"agreed": document, "arrays": arrays, "sources": {"ad": copy(0), "billing": copy(1), "crm": copy(2)}})
}

/// A customer of about 1 KB.
fn customer() -> Value {
    let place = json!({"street": "1 Long Street", "city": "Springfield", "zip": "12345-6789", "country": "US"});
    let person = |name: &str| json!({"name": name, "email": "somebody@example.com", "language": "en-US"});
    json!({
        "name": "Ann Example", "email": "ann@example.com", "balance": 12.5, "vip": false, "manager": null,
        "address": place, "billing": {"address": place, "vat": "US123456789", "terms": 30, "currency": "USD"},
        "phones": [{"type": "home", "number": "+1 555 0100"}, {"type": "work", "number": "+1 555 0101", "ext": "42"}],
        "tags": ["newsletter", "wholesale", "north", "2019", "pays-late"],
        "limits": {"credit": 5000, "orders": 25, "discount": 0.075},
        "notes": "Prefers deliveries before noon. Ask for the key at the neighbours'; do not ring twice.",
        "contacts": {"sales": person("Joan Doe"), "support": person("John Roe")},
        "flags": {"mailing": true, "calls": false, "terms_accepted": "2019-04-01T10:15:00Z", "segment": "B2B"}
    })
}
