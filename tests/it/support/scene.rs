//! Two entities with three systems each, whose users edit while actors fail.

use std::cell::RefCell;
use std::collections::BTreeMap;

use retcon::store::requests::queue::Notification;

use super::actors::Actors;
use super::postgres::block_on;
use super::runs::Runs;
use super::site::Site;
use super::store::{entity, key, rows, source};
use super::system::{Language, SourceSpec, System, json};
use super::wait::until;

/// An entity of the scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Where its systems are: runs of another entity's records, which bear the same numbers, are none of theirs.
    directory: &'static str,
    /// Users edit in the first one.
    pub(crate) sources: [&'static str; 3],
}

pub(crate) const CUSTOMER: Kind = Kind { name: "customer", directory: "systems", sources: ["crm", "billing", "ldap"] };
pub(crate) const PRODUCT: Kind = Kind { name: "product", directory: "others", sources: ["erp", "shop", "wiki"] };
pub(crate) const KINDS: [Kind; 2] = [CUSTOMER, PRODUCT];

/// A site of two entities, and what its users have left there.
pub(crate) struct Scene {
    pub(crate) site: Site,
    edits: RefCell<BTreeMap<(&'static str, String), String>>,
}

impl Kind {
    /// The entity's table in `retcon.toml`, with lines of its own.
    pub(crate) fn table(&self, settings: &str) -> String {
        let retry = "retry = { first = \"20ms\", max = \"200ms\", attempts = 3 }";
        format!("[entities.{}]\n{retry}\n{settings}\n", self.name)
    }

    /// A source of this entity.
    pub(crate) fn source(&self, name: &str) -> String {
        self.source_with(name, "")
    }

    /// Likewise, with lines of its own.
    pub(crate) fn source_with(&self, name: &str, settings: &str) -> String {
        self.spec(name).with(settings).table_in(self.directory, self.name)
    }

    fn spec(&self, name: &str) -> SourceSpec {
        Language::C.source(name)
    }

    /// The whole entity, with all its sources.
    pub(crate) fn whole(&self) -> String {
        self.with("")
    }

    /// Likewise, with lines of its own.
    pub(crate) fn with(&self, settings: &str) -> String {
        let sources: Vec<_> = self.sources.iter().map(|name| self.source(name)).collect();
        self.table(settings) + &sources.concat()
    }

    /// A notification of a copy in the system that users edit.
    pub(crate) fn notification(&self, foreign_key: &str) -> Notification {
        Notification { entity: entity(self.name), source: source(self.sources[0]), key: key(foreign_key) }
    }
}

impl Scene {
    /// Both entities, configured.
    pub(crate) fn new() -> Self {
        let scene = Self { site: Site::empty(), edits: RefCell::default() };
        for kind in KINDS {
            kind.sources.iter().for_each(|name| drop(scene.system(kind, name)));
        }
        scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
        scene
    }

    /// Writes the configuration, of these tables.
    pub(crate) fn configure(&self, tables: &[String]) {
        let common = format!("[server]\nlisten = \"\"\n\n{}", self.site.database_table());
        self.site.write("retcon.toml", &(common + &tables.concat()));
    }

    pub(crate) fn system(&self, kind: Kind, name: &str) -> System {
        System::create(self.site.path().join(kind.directory).join(name))
    }

    /// A user edits an item in the first system of its entity.
    pub(crate) fn edit(&self, kind: Kind, key: &str, name: &str) -> Notification {
        let document = format!("{{\"item\":{key:?},\"name\":{name:?}}}");
        self.system(kind, kind.sources[0]).put(key, &document);
        self.edits.borrow_mut().insert((kind.name, key.to_owned()), json(&document));
        kind.notification(key)
    }

    /// A user edits an item, and retcon is told.
    #[track_caller]
    pub(crate) fn tell(&self, actors: &Actors<'_>, kind: Kind, key: &str, name: &str) {
        actors.notify(&self.edit(kind, key, name));
    }

    pub(crate) fn runs(&self, kind: Kind) -> Runs {
        Runs::load(&self.site.path().join(kind.directory).join("runs"))
    }

    /// Waits until a run of this operation has begun at a source.
    #[track_caller]
    pub(crate) fn wait_for_run(&self, kind: Kind, source: &str, operation: &str) {
        let runs = || self.runs(kind);
        until(|| (runs().count(source, operation) > 0).then_some(()), || format!("{:#?}", runs()));
    }

    /// Every edit is in all systems of its entity, each item once; and nothing was run twice at the same time, is in doubt,
    /// parked or in conflict.
    #[track_caller]
    pub(crate) fn assert_in_step(&self, actors: &Actors<'_>) {
        for kind in KINDS {
            self.assert_copies(kind, &kind.sources);
        }
        for entity in actors.status().entities {
            let counts = entity.counts;
            let open = [counts.running, counts.parked, counts.in_doubt, counts.conflicts];
            assert_eq!(open, [0; 4], "{}: running, parked, in doubt, in conflict", entity.name);
        }
    }

    /// Every edit is in these systems of an entity, each item once.
    #[track_caller]
    pub(crate) fn assert_copies(&self, kind: Kind, sources: &[&str]) {
        let edits = self.edits.borrow();
        let mut expected: Vec<_> = edits
            .iter()
            .filter(|((entity, _), _)| *entity == kind.name)
            .map(|(_, document)| document.clone())
            .collect();
        expected.sort_unstable();
        self.runs(kind).assert_none_meet();
        for source in sources {
            let mut documents = self.system(kind, source).documents();
            documents.sort_unstable();
            assert_eq!(documents, expected, "{source}; runs: {:#?}", self.runs(kind));
        }
    }

    /// Asks the database itself.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        block_on(rows(self.site.database(), sql))
    }

    /// Nothing is claimed, and nothing in flight.
    #[track_caller]
    pub(crate) fn assert_nothing_held(&self) {
        assert_eq!(self.rows("select id, source, foreign_key from work_item where state = 'running'"), [""; 0]);
        assert_eq!(self.rows("select id, source, kind from operation where state = 'in-flight'"), [""; 0]);
    }
}
