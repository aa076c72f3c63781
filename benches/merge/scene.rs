//! Three copies of a customer, and what was edited in them.

use std::collections::BTreeMap;
use std::fmt;

use retcon::domain::json::Json;
use retcon::domain::merge::{Action, Copy, Question, Stand, merge};
use retcon::domain::name::SourceName;
use retcon::domain::patch::put;
use retcon::domain::record::{Base, RecordState};
use retcon::domain::rules::{ArrayRule, Rules};

/// How large the documents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// About 1 KB.
    Small,
    /// About 100 KB: the same customer, with branches and orders.
    Large,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "1 KB",
            Self::Large => "100 KB",
        })
    }
}

/// What was edited since the copies were last in step: by which copy, where, to what.
type Edit = (usize, &'static str, &'static str);

/// A case that is measured.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    edits: &'static [Edit],
    /// Arrays have keys.
    keyed: bool,
    updates: usize,
    conflicts: usize,
}

pub(crate) const SHAPES: [Shape; 5] = [
    Shape { name: "nothing changed", edits: &[], keyed: false, updates: 0, conflicts: 0 },
    Shape { name: "one edit", edits: &[(1, "/balance", "99.125")], keyed: false, updates: 2, conflicts: 0 },
    Shape {
        name: "two edits",
        edits: &[(1, "/balance", "99.125"), (2, "/contacts/sales/name", r#""Jane Doe""#)],
        keyed: false,
        updates: 3,
        conflicts: 0,
    },
    Shape {
        name: "a conflict",
        edits: &[(1, "/email", r#""ann@example.org""#), (2, "/email", r#""anne@example.com""#)],
        keyed: false,
        updates: 0,
        conflicts: 1,
    },
    Shape {
        name: "keyed arrays",
        edits: &[
            (1, "/phones/home/number", r#""+1 555 0199""#),
            (2, "/phones/fax", r#"{"type":"fax","number":"+1 555 0102"}"#),
        ],
        keyed: true,
        updates: 3,
        conflicts: 0,
    },
];

/// What a question borrows from. No two documents share anything, as nothing that was read does.
pub(crate) struct Scene {
    rules: Rules,
    pub(crate) agreed: Json,
    pub(crate) copies: Vec<(SourceName, Base, Json)>,
}

impl Scene {
    /// Sets the scene, and makes sure that it is the one that the shape describes.
    pub(crate) fn new(size: Size, shape: &Shape) -> Self {
        let mut rules = Rules::default();
        if shape.keyed {
            let key = |place: &str, member: &str| (place.parse().expect("a pointer"), ArrayRule::Key(member.into()));
            rules.arrays = [key("/phones", "type"), key("/orders", "id")].into();
        }
        let fresh = || document(size);
        let copy = |(position, name): (usize, &str)| {
            let edits = shape.edits.iter().filter(|(copy, ..)| *copy == position);
            let current = edits.fold(fresh(), |document, (_, place, value)| edited(document, place, value, &rules));
            let base = Base { shadow: Some(fresh()), ack: Some(fresh()), ..Base::default() };
            (name.parse().expect("a name"), base, reread(&current))
        };
        let copies = ["ad", "billing", "crm"].into_iter().enumerate().map(copy).collect();
        let scene = Self { rules, agreed: fresh(), copies };
        let answer = merge(&scene.question());
        let updates = answer.copies.values().filter(|copy| matches!(copy.action, Action::Update(_))).count();
        assert_eq!((updates, answer.conflicts.len()), (shape.updates, shape.conflicts), "{}", shape.name);
        scene
    }

    pub(crate) fn question(&self) -> Question<'_> {
        let copies = self.copies.iter().map(|(name, base, current)| {
            (name.clone(), Copy { fields: &None, stand: Stand::Present { base, current } })
        });
        Question {
            state: RecordState::Live,
            rules: &self.rules,
            agreed: Some(&self.agreed),
            copies: copies.collect(),
            decisions: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    /// Returns the copies' documents as their sources print them.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.copies.iter().map(|(_, _, current)| current.to_string()).collect()
    }
}

fn edited(document: Json, place: &str, value: &str, rules: &Rules) -> Json {
    let value = Json::parse(value.as_bytes()).expect("it is a value");
    put(Some(document), &place.parse().expect("a pointer"), Some(value), rules).expect("it is there still")
}

fn reread(document: &Json) -> Json {
    Json::parse(document.to_string().as_bytes()).expect("it is a document")
}

fn document(size: Size) -> Json {
    let customer = customer("");
    let text = match size {
        Size::Small => customer,
        Size::Large => {
            let branches: Vec<String> =
                (0..50).map(|number| format!(r#""b{number}":{}"#, self::customer(""))).collect();
            let orders: Vec<String> = (0..50).map(|number| self::customer(&format!(r#""id":"o{number}","#))).collect();
            let rest = &customer[1..];
            format!(r#"{{"branches":{{{}}},"orders":[{}],{rest}"#, branches.join(","), orders.join(","))
        }
    };
    Json::parse(text.as_bytes()).expect("it is a document")
}

/// A customer of about 1 KB, as such systems have them, with this before the first member.
fn customer(first: &str) -> String {
    format!(
        r#"{{{first}"name":"Ann Example","email":"ann@example.com","balance":12.50,"vip":false,"since":"2019-04-01","manager":null,
        "address":{{"street":"1 Long Street","city":"Springfield","zip":"12345-6789","country":"US","geo":{{"lat":39.7817213,"lon":-89.6501481}}}},
        "billing":{{"street":"PO Box 12345","city":"Springfield","zip":"12345","country":"US","vat":"US123456789","terms":30,"currency":"USD"}},
        "phones":[{{"type":"home","number":"+1 555 0100"}},{{"type":"work","number":"+1 555 0101","ext":"42"}}],
        "tags":["newsletter","wholesale","north","2019","pays-late"],
        "limits":{{"credit":5000,"orders":25,"discount":0.075}},
        "notes":"Prefers deliveries before noon. Ask for the key at the neighbours', number 3, second floor; do not ring twice.",
        "contacts":{{"sales":{{"name":"Joan Doe","email":"joan@example.com"}},"support":{{"name":"John Roe","email":"john@example.com"}}}},
        "flags":{{"mailing":true,"calls":false,"terms_accepted":"2019-04-01T10:15:00Z","locale":"en-US","segment":"B2B"}}}}"#
    )
}
