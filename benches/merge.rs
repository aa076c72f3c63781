//! The time of one merge of three copies, against that of reading and writing their documents once: `make bench`.
//!
//! A merge should cost no more than the documents' own passage through the daemon. The ratio is what to watch: it depends
//! little on the machine, and both sides are measured in turns, so that a busy machine slows both.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use retcon::domain::json::Json;
use retcon::domain::merge::{Action, Copy, Question, Stand, merge};
use retcon::domain::name::SourceName;
use retcon::domain::record::{Base, RecordState};
use retcon::domain::rules::Rules;

/// How often each side is measured, and how many passes one measurement takes.
const ROUNDS: usize = 41;
const PASSES: u32 = 200;

fn main() {
    let agreed = customer("Ann Example", "ann@example.com", "12.50");
    let copies = [
        ("ad", customer("Ann Example", "ann@example.com", "12.50")),
        ("billing", customer("Ann Example", "ann@example.com", "99.125")),
        ("crm", customer("Anne Example", "anne@example.com", "12.50")),
    ];
    let texts: Vec<String> = copies.iter().map(|(_, document)| document.to_string()).collect();
    let base = Base { shadow: Some(agreed.clone()), ack: Some(agreed.clone()), ..Base::default() };
    let rules = Rules::default();
    let question = question(&agreed, &base, &copies, &rules);
    let updates = merge(&question).copies.values().filter(|copy| matches!(copy.action, Action::Update(_))).count();
    assert_eq!(updates, 3, "two edits of different members: each copy lacks one of them or both");

    let mut passing = Vec::new();
    let mut merging = Vec::new();
    for _ in 0..ROUNDS {
        passing.push(time(|| texts.iter().for_each(|text| pass(text))));
        merging.push(time(|| drop(black_box(merge(black_box(&question))))));
    }
    let (passing, merging) = (median(passing), median(merging));
    let bytes: Vec<String> = texts.iter().map(|text| text.len().to_string()).collect();
    println!("three documents of {} bytes, edits in two of them", bytes.join(", "));
    println!("parsing and printing each once   {passing:>9.1?}");
    println!("one merge                        {merging:>9.1?}");
    println!("ratio                            {:>9.2}", merging.as_secs_f64() / passing.as_secs_f64());
}

/// A customer of about 1 KB, as such systems have them.
fn customer(name: &str, email: &str, balance: &str) -> Json {
    let text = format!(
        r#"{{"name":"{name}","email":"{email}","balance":{balance},"vip":false,"since":"2019-04-01","manager":null,
        "address":{{"street":"1 Long Street","city":"Springfield","zip":"12345-6789","country":"US","geo":{{"lat":39.7817213,"lon":-89.6501481}}}},
        "billing":{{"street":"PO Box 12345","city":"Springfield","zip":"12345","country":"US","vat":"US123456789","terms":30,"currency":"USD"}},
        "phones":[{{"type":"home","number":"+1 555 0100"}},{{"type":"work","number":"+1 555 0101","ext":"42"}}],
        "tags":["newsletter","wholesale","north","2019","pays-late"],
        "limits":{{"credit":5000,"orders":25,"discount":0.075}},
        "notes":"Prefers deliveries before noon. Ask for the key at the neighbours', number 3, second floor; do not ring twice.",
        "contacts":{{"sales":{{"name":"Joan Doe","email":"joan@example.com"}},"support":{{"name":"John Roe","email":"john@example.com"}}}},
        "flags":{{"mailing":true,"calls":false,"terms_accepted":"2019-04-01T10:15:00Z","locale":"en-US","segment":"B2B"}}}}"#
    );
    Json::parse(text.as_bytes()).expect("it is a document")
}

fn question<'a>(agreed: &'a Json, base: &'a Base, copies: &'a [(&str, Json)], rules: &'a Rules) -> Question<'a> {
    let copies = copies.iter().map(|(name, current)| {
        let name: SourceName = name.parse().expect("it is a name");
        (name, Copy { fields: &None, stand: Stand::Present { base, current } })
    });
    Question {
        state: RecordState::Live,
        rules,
        agreed: Some(agreed),
        copies: copies.collect(),
        decisions: BTreeMap::new(),
        held: BTreeMap::new(),
    }
}

/// Reads a document and writes it again, as it passes through the daemon.
fn pass(text: &str) {
    let document = Json::parse(black_box(text).as_bytes()).expect("it is a document");
    drop(black_box(document.to_string()));
}

/// Gives the time of one pass.
fn time(mut pass: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..PASSES {
        pass();
    }
    start.elapsed() / PASSES
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
