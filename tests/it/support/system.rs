//! An external system of the tests: a directory with one file an item, and the data source that reaches it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use retcon::domain::json::Json;

use super::program::{program, run};

/// The language in which a system's data source is written; see `tests/it/sources/plain.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Sh,
    Python,
    C,
}

impl Language {
    /// The source's program.
    pub(crate) fn program(self) -> PathBuf {
        match self {
            Self::Sh => testing("sources/plain.sh"),
            Self::Python => testing("sources/plain.py"),
            Self::C => COMPILED.clone(),
        }
    }

    /// A source of this name, to be given to a site.
    pub(crate) fn source(self, name: &str) -> SourceSpec {
        SourceSpec { name: name.into(), language: self, settings: String::new() }
    }
}

/// A source that a site is to have.
#[derive(Debug, Clone)]
pub(crate) struct SourceSpec {
    pub(crate) name: String,
    pub(crate) language: Language,
    pub(crate) settings: String,
}

impl SourceSpec {
    /// Adds lines to the source's table in `retcon.toml`.
    pub(crate) fn with(mut self, settings: &str) -> Self {
        self.settings += settings;
        self.settings.push('\n');
        self
    }

    /// The source's table in `retcon.toml`.
    pub(crate) fn table(&self, entity: &str) -> String {
        self.table_in("systems", entity)
    }

    /// Likewise, with its system in another directory of the site.
    pub(crate) fn table_in(&self, systems: &str, entity: &str) -> String {
        let Self { name, language, settings } = self;
        let plain = language.program();
        let recorder = testing("sources/recorder.sh");
        format!(
            "[entities.{entity}.sources.{name}]\ncommand = [{recorder:?}, \"{systems}/{name}\", {plain:?}, \"{systems}/{name}\"]\n{settings}\n"
        )
    }
}

/// Returns the path of a file of the tests.
pub(crate) fn testing(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(path)
}

static COMPILED: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain");
    let fresh = place.with_extension(std::process::id().to_string());
    run(program("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&fresh).arg(testing("sources/plain.c")), b"")
        .exits(0);
    fs::rename(&fresh, &place).expect("the compiled source is there");
    place
});

/// A system with its items. Its users edit them here; retcon does so through the data source.
#[derive(Debug, Clone)]
pub(crate) struct System {
    dir: PathBuf,
}

impl System {
    pub(crate) fn create(dir: PathBuf) -> Self {
        for inside in ["items", "faults"] {
            fs::create_dir_all(dir.join(inside)).expect("a directory");
        }
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A user puts an item there, or edits it.
    pub(crate) fn put(&self, key: &str, document: &str) {
        let fresh = self.dir.join("put");
        fs::write(&fresh, document).expect("a file");
        fs::rename(fresh, self.item(key)).expect("a file");
    }

    /// A user deletes an item.
    #[track_caller]
    pub(crate) fn remove(&self, key: &str) {
        fs::remove_file(self.item(key)).expect("the item is there");
    }

    /// What stands there under a key, byte for byte.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.item(key)).ok()
    }

    /// All items, with their documents digit for digit, their members sorted.
    #[track_caller]
    pub(crate) fn items(&self) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.dir.join("items")).expect("the items");
        let names = files.map(|file| file.expect("an item").file_name().into_string().expect("keys are ASCII"));
        let keys = names.filter_map(|name| name.strip_suffix(".json").map(String::from)).collect::<Vec<_>>();
        keys.into_iter().filter_map(|key| self.get(&key).map(|text| (key, json(&text)))).collect()
    }

    /// All documents, without their keys.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<String> {
        self.items().into_values().collect()
    }

    /// The key of the only item.
    #[track_caller]
    pub(crate) fn only_key(&self) -> String {
        let items = self.items();
        assert_eq!(items.len(), 1, "{items:?}");
        items.into_keys().next().expect("there is one")
    }

    /// From now on, runs `shell` before the program at this operation; where it exits, the program is not run.
    ///
    /// `operation` may be `create.after` and so on: then when the program has ended.
    pub(crate) fn fault(&self, operation: &str, shell: &str) {
        let fresh = self.dir.join("fault");
        fs::write(&fresh, shell).expect("a file");
        fs::rename(fresh, self.dir.join("faults").join(operation)).expect("a file");
    }

    /// Every operation fails like this.
    pub(crate) fn fault_everywhere(&self, shell: &str) {
        for operation in ["create", "read", "update", "delete"] {
            self.fault(operation, shell);
        }
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        for fault in fs::read_dir(self.dir.join("faults")).expect("the faults") {
            fs::remove_file(fault.expect("a fault").path()).expect("a file");
        }
    }

    /// Sets what the data source itself knows: `refuse` or `rekey`.
    pub(crate) fn set(&self, flag: &str) {
        fs::write(self.dir.join(flag), "").expect("a file");
    }

    pub(crate) fn unset(&self, flag: &str) {
        fs::remove_file(self.dir.join(flag)).expect("it was set");
    }

    fn item(&self, key: &str) -> PathBuf {
        self.dir.join("items").join(format!("{key}.json"))
    }
}

/// A document digit for digit, its members sorted: what equals by this equals by value.
#[track_caller]
pub(crate) fn json(document: &str) -> String {
    Json::parse(document.as_bytes()).unwrap_or_else(|error| panic!("{error}: {document:?}")).to_string()
}
