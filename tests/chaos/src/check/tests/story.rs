//! Books written by hand: the history of three customers in which all is well, for tests to plant something in.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use serde_json::json as book;

use crate::books::{
    Answer, Author, Change, ChangeKind, ClientLine, DatabaseFacts, Deadlines, Decision, EntityFacts, Facts,
    NotifiedItem, Order, Phases, SourceFacts, Throttle, Tidying,
};
use crate::check::database::{ConflictRow, Database, ItemRow, LinkRow, OperationRow, RecordRow, VersionRow};
use crate::check::json::Json;
use crate::check::material::{Deed, Material, Place, Run, System};
use crate::clock::Micros;

/// A history in the making.
pub(super) struct Story(Material);

impl Deref for Story {
    type Target = Material;

    fn deref(&self) -> &Material {
        &self.0
    }
}

impl DerefMut for Story {
    fn deref_mut(&mut self) -> &mut Material {
        &mut self.0
    }
}

#[track_caller]
pub(super) fn json(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A source of the customers.
fn place(source: &str) -> Place {
    Place { entity: "customer".into(), source: source.into() }
}

fn source(name: &str) -> SourceFacts {
    SourceFacts {
        name: name.into(),
        find: false,
        list: false,
        idempotent: false,
        tidies: Tidying::Never,
        rekeys: false,
        compares: true,
        talks_first: false,
        fields: Vec::new(),
        timeout: 1_000_000,
    }
}

fn entity(name: &str, throttle: Option<Throttle>, sources: &[&str]) -> EntityFacts {
    EntityFacts {
        name: name.into(),
        merge_policy: "ignore-conflicts".into(),
        on_delete: "propagate".into(),
        matching: Vec::new(),
        throttle,
        attempts: 5,
        sources: sources.iter().map(|name| source(name)).collect(),
    }
}

impl Story {
    /// Nothing has happened.
    pub(super) fn empty() -> Self {
        let throttle = Some(Throttle { rate: 25.0, burst: 10 });
        let entities = vec![entity("customer", throttle, &["crm", "billing"]), entity("product", None, &["web"])];
        let mut systems = BTreeMap::new();
        for entity in &entities {
            for traits in &entity.sources {
                let place = Place { entity: entity.name.clone(), source: traits.name.clone() };
                systems.insert(place, System { traits: traits.clone(), deeds: Vec::new(), runs: Vec::new() });
            }
        }
        let facts = Facts {
            seed: 1,
            seconds: 1,
            entities,
            database: DatabaseFacts { url: String::new(), daemon_url: String::new() },
            plant: None,
            classes: Vec::new(),
            daemons: 1,
            deadlines: Deadlines { rest: 1, quiet: 1 },
            phases: Phases::default(),
            unrest: None,
        };
        Self(Material {
            facts,
            systems,
            clients: Vec::new(),
            decisions: Vec::new(),
            database: Database::default(),
            left_behind: Vec::new(),
        })
    }

    /// A customer is edited, contested and decided; another one is removed; a third has a long number.
    pub(super) fn well() -> Self {
        let mut story = Self::empty();
        story.facts.phases = Phases { rest: Some(19_000_000), ended: Some(25_000_000), ..Phases::default() };
        story.introduce(1, ("c1", "b1"), r#"{"name":"Ann"}"#, 100);
        story.user("billing", "b1", 200, Some(r#"{"name":"Bob"}"#));
        story.look(1, ("c1", "b1"), 210);
        story.version(1, 228, "sync", true);
        story.run("crm", "update", Some("c1"), Some(1), (230, Some(240)), Some(0));
        story.ours("crm", "update", "c1", "op-2", 1, 235, Some(r#"{"name":"Bob"}"#));
        story.user("crm", "c1", 300, Some(r#"{"name":"Cid"}"#));
        story.user("billing", "b1", 300, Some(r#"{"name":"Dan"}"#));
        story.look(1, ("c1", "b1"), 310);
        let contenders = r#"[{"sources":["crm"],"value":"Cid"},{"sources":["billing"],"value":"Dan"}]"#;
        story.conflict(7, 1, "/name", contenders, Some("resolution"));
        story.decide("resolve", "7", 1, r#"{"take":"crm","revision":1}"#, &format!(r#"{{"contenders":{contenders}}}"#));
        story.version(1, 410, "resolution", true).cause = json(r#"{"kind":"resolution","conflict":7}"#);
        story.run("billing", "update", Some("b1"), Some(1), (430, Some(440)), Some(0));
        story.ours("billing", "update", "b1", "op-3", 1, 435, Some(r#"{"name":"Cid"}"#));
        story.agree(1, r#"{"name":"Cid"}"#);

        story.introduce(2, ("c2", "b2"), r#"{"name":"Zed"}"#, 500);
        story.user("crm", "c2", 600, None);
        story.run("crm", "read", Some("c2"), Some(2), (620, Some(625)), Some(2));
        story.version(2, 628, "sync", false);
        story.run("billing", "delete", Some("b2"), Some(2), (630, Some(640)), Some(0));
        story.ours("billing", "delete", "b2", "op-5", 2, 635, None);
        story.database.records.insert(("customer".into(), 2), RecordRow { is_live: false, agreed: None });
        story.link(2, "crm", None);
        story.link(2, "billing", None);

        story.introduce(3, ("c3", "b3"), r#"{"name":"Zoe","n":12345678901234567890.10}"#, 700);
        story
    }

    /// A user makes an item in crm, and a copy of it is made in billing.
    fn introduce(&mut self, record: i64, (crm, billing): (&str, &str), document: &str, at: Micros) {
        self.user("crm", crm, at, Some(document));
        self.notify("crm", crm, at + 10, Some(100 + record));
        self.run("crm", "read", Some(crm), None, (at + 20, Some(at + 22)), Some(0));
        self.version(record, at + 28, "sync", true);
        self.run("billing", "create", None, Some(record), (at + 30, Some(at + 40)), Some(0));
        self.ours(
            "billing",
            "create",
            billing,
            &format!("op-{}", [1, 4, 6][record as usize - 1]),
            record,
            at + 35,
            Some(document),
        );
        for (source, key) in [("crm", crm), ("billing", billing)] {
            self.key(source, key, record);
            self.link(record, source, Some(key));
        }
        self.agree(record, document);
    }

    /// All copies are read.
    fn look(&mut self, record: i64, (crm, billing): (&str, &str), at: Micros) {
        self.run("crm", "read", Some(crm), Some(record), (at, Some(at + 5)), Some(0));
        self.run("billing", "read", Some(billing), Some(record), (at, Some(at + 5)), Some(0));
    }

    pub(super) fn material(&self) -> Material {
        let mut material = self.0.clone();
        material.systems.values_mut().for_each(|system| system.runs.sort_by_key(|run| run.start));
        material
    }

    pub(super) fn traits(&mut self, source: &str) -> &mut SourceFacts {
        &mut self.system(source).traits
    }

    pub(super) fn deeds(&mut self, source: &str) -> &mut Vec<Deed> {
        &mut self.system(source).deeds
    }

    pub(super) fn runs(&mut self, source: &str) -> &mut Vec<Run> {
        &mut self.system(source).runs
    }

    fn system(&mut self, source: &str) -> &mut System {
        self.0.systems.get_mut(&place(source)).expect("there is such a source")
    }

    /// A user makes, edits or deletes an item.
    pub(super) fn user(&mut self, source: &str, key: &str, at: Micros, after: Option<&str>) {
        self.change(source, key, at, after, Author::User, None);
    }

    /// A run of ours does, and its operation is on record.
    #[expect(clippy::too_many_arguments, reason = "a line of a book has that many columns")]
    pub(super) fn ours(
        &mut self,
        source: &str,
        kind: &str,
        key: &str,
        operation: &str,
        record: i64,
        at: Micros,
        after: Option<&str>,
    ) {
        self.operation(operation, record, source, kind, "done");
        self.change(source, key, at, after, Author::Retcon, Some(operation));
    }

    fn change(
        &mut self,
        source: &str,
        key: &str,
        at: Micros,
        after: Option<&str>,
        author: Author,
        operation: Option<&str>,
    ) {
        let system = self.system(source);
        let before = system.items().get(key).map(|item| item.document.to_string());
        let kind = match (&before, after) {
            (None, _) => ChangeKind::Create,
            (Some(_), Some(_)) => ChangeKind::Update,
            (Some(_), None) => ChangeKind::Delete,
        };
        let change = Change {
            seq: i64::try_from(system.deeds.len()).expect("a small number") + 1,
            at,
            key: key.into(),
            former_key: None,
            kind,
            before,
            after: after.map(str::to_owned),
            author,
            operation: operation.map(str::to_owned),
            run: None,
            seen: None,
            fault: None,
            excused: false,
        };
        system.deeds.push(Deed::read(change).expect("the documents are some"));
    }

    pub(super) fn operation(&mut self, id: &str, record: i64, source: &str, kind: &str, state: &str) {
        let (source, kind, state) = (source.into(), kind.into(), state.into());
        let row = OperationRow { record: ("customer".into(), record), source, kind, state };
        self.database.operations.insert(id.into(), row);
    }

    pub(super) fn run(
        &mut self,
        source: &str,
        operation: &str,
        key: Option<&str>,
        record: Option<i64>,
        times: (Micros, Option<Micros>),
        exit: Option<i32>,
    ) {
        self.run_at(&place(source), operation, (key, record), times, exit);
    }

    /// A run of a source of any entity.
    pub(super) fn run_at(
        &mut self,
        place: &Place,
        operation: &str,
        (key, record): (Option<&str>, Option<i64>),
        (start, end): (Micros, Option<Micros>),
        exit: Option<i32>,
    ) {
        let system = self.0.systems.get_mut(place).expect("there is such a source");
        let number = if start < 500 { "1" } else { "2" };
        system.runs.push(Run {
            name: format!("{}.{}", place.source, system.runs.len()),
            parent: if start < 500 { 100 } else { 200 },
            operation: operation.into(),
            key: key.map(str::to_owned),
            record,
            config: [number.into(), number.into()],
            start,
            end,
            exit,
            overlaps: Vec::new(),
        });
    }

    /// A client tells of a copy, and has its work item acknowledged.
    pub(super) fn notify(&mut self, source: &str, key: &str, sent: Micros, work_item: Option<i64>) {
        self.notify_at(&place(source), key, sent, work_item);
    }

    pub(super) fn notify_at(&mut self, place: &Place, key: &str, sent: Micros, work_item: Option<i64>) {
        let Place { entity, source } = place.clone();
        let item = NotifiedItem {
            entity: entity.clone(),
            source: source.clone(),
            key: key.into(),
            work_item,
            coalesced: None,
        };
        self.clients.push(ClientLine {
            client: "user:1".into(),
            daemon: 1,
            sent,
            answered: Some(sent + 2),
            status: Some(202),
            items: vec![item],
        });
        if let Some(id) = work_item {
            let (source, key) = (Some(source), Some(key.into()));
            let row = ItemRow { entity, source, key, record: None, state: "done".into(), outcome: None };
            self.database.items.insert(id, row);
        }
    }

    pub(super) fn key(&mut self, source: &str, key: &str, record: i64) {
        self.database.keys.insert(("customer".into(), source.into(), key.into()), record);
    }

    /// Links a record's copy, or says that it has none.
    pub(super) fn link(&mut self, record: i64, source: &str, key: Option<&str>) {
        let record = ("customer".to_owned(), record);
        self.database.links.retain(|link| link.record != record || link.source != source);
        let state = if key.is_some() { "linked" } else { "unlinked" };
        let link = LinkRow { record, source: source.into(), state: state.into(), key: key.map(str::to_owned) };
        self.database.links.push(link);
    }

    pub(super) fn agree(&mut self, record: i64, agreed: &str) {
        let row = RecordRow { is_live: true, agreed: Some(json(agreed)) };
        self.database.records.insert(("customer".into(), record), row);
    }

    pub(super) fn version(&mut self, record: i64, at: Micros, kind: &str, is_live: bool) -> &mut VersionRow {
        let versions = self.0.database.versions.entry(("customer".into(), record)).or_default();
        versions.push(VersionRow {
            version: i64::try_from(versions.len()).expect("a small number") + 1,
            at,
            cause: json(&format!(r#"{{"kind":"{kind}"}}"#)),
            changes: json("[]"),
            overruled: json("[]"),
            is_live,
        });
        versions.last_mut().expect("it was just pushed")
    }

    pub(super) fn conflict(&mut self, id: i64, record: i64, path: &str, contenders: &str, closed_by: Option<&str>) {
        self.database.conflicts.push(ConflictRow {
            id,
            record: ("customer".into(), record),
            path: path.into(),
            kind: "edit-edit".into(),
            revision: 1,
            contenders: json(contenders),
            contended: json(contenders),
            closed_by: closed_by.map(|kind| json(&format!(r#"{{"kind":"{kind}"}}"#))),
        });
    }

    /// A person decides on what they see.
    pub(super) fn decide(&mut self, kind: &str, subject: &str, record: i64, asked: &str, seen: &str) {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let number = self.decisions.len() as u64 + 1;
        let order = Order {
            number,
            at: 400,
            daemon: 1,
            kind: kind.into(),
            entity: Some("customer".into()),
            record: Some(record),
            subject: subject.into(),
            seen: parse(seen),
            asked: parse(asked),
        };
        let answer = Answer { status: 200, body: book!({"state": "applied"}) };
        self.decisions.push(Decision { order, answer: Some(answer) });
    }
}
