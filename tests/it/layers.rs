//! Each layer imports only what the table of ARCHITECTURE.md allows.

mod paths;
mod table;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use paths::{Named, asynchronous, paths};
use table::{LAYERS, Layer, MACROS_OF_LOG};

/// Checks one file, whose path is relative to `src`; gives each violation with its line.
fn violations(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = module.get(1).and_then(|name| LAYERS.iter().find(|layer| layer.name == *name)) else {
        return stranger(file, &module);
    };
    let mut found: Vec<String> = paths(source, &module)
        .into_iter()
        .filter_map(|named| {
            Some(format!("src/{file}:{}: {} imports {}", named.line, layer.name, complaint(layer, &named)?))
        })
        .collect();
    if let Some(line) = asynchronous(source).filter(|_| !layer.may_be_async) {
        found.push(format!("src/{file}:{line}: {} is never asynchronous", layer.name));
    }
    if source.contains("#[path") {
        found.push(format!("src/{file}: #[path] hides where a module stands"));
    }
    found
}

/// A file outside of the layers is the root or a program, or a layer that the table does not know.
fn stranger(file: &str, module: &[&str]) -> Vec<String> {
    match module {
        ["crate"] | ["crate", "bin", _] => Vec::new(),
        _ => vec![format!("src/{file}: no layer of the table")],
    }
}

/// Says what is wrong with a name, if anything is.
fn complaint(layer: &Layer, named: &Named) -> Option<String> {
    let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
    let wrong = match path.as_slice() {
        // The root itself: a name in a visibility, or, with a glob, every layer at once.
        ["crate"] => named.glob,
        ["crate", name, ..] => {
            let meant = if MACROS_OF_LOG.contains(name) { "log" } else { name };
            meant != layer.name && !layer.may.contains(&meant)
        }
        outside => is_forbidden_outside(layer, outside, named.glob),
    };
    wrong.then(|| path.join("::") + if named.glob { "::*" } else { "" })
}

fn is_forbidden_outside(layer: &Layer, path: &[&str], glob: bool) -> bool {
    let is_below = |never: &&str| {
        let never: Vec<&str> = never.split("::").collect();
        path.starts_with(&never) || (glob && never.starts_with(path))
    };
    let ends_so = path.len() > 1 && path.last().is_some_and(|last| layer.never_ends.contains(last));
    ends_so || layer.never.iter().any(is_below)
}

/// Gives a file's module: `domain/merge/mod.rs` is `crate::domain::merge`.
fn module_of(file: &str) -> Vec<&str> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    std::iter::once("crate").chain(stem.split('/').filter(|name| !matches!(*name, "lib"))).collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_layer_imports_only_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > LAYERS.len(), "the sources are there: {files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let name = file.strip_prefix(&root).expect("it is below").to_str().expect("our names are UTF-8");
            violations(name, &fs::read_to_string(file).expect("it can be read"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_of_the_document_is_the_one_that_is_checked() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let document = fs::read_to_string(document).expect("it is there");
    for layer in &LAYERS {
        let names: Vec<String> = layer.may.iter().map(|name| format!("`{name}`")).collect();
        let may = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let row = format!("| `{}` |", layer.name);
        let line = document.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        assert!(line.contains(&format!("| {may} |")), "{} may import {may}, says the test: {line}", layer.name);
    }
}

/// Plants `source` as the file `file`, and expects just these imports to be found.
#[track_caller]
fn check(file: &str, source: &str, expected: &[&str]) {
    let found = violations(file, source);
    let matches = found.len() == expected.len() && found.iter().zip(expected).all(|(found, part)| found.contains(part));
    assert!(matches, "in {file}:\n{source}\nfound {found:#?}\nexpected {expected:#?}");
}

#[test]
fn an_import_is_found_however_it_is_written() {
    check("domain/key.rs", "use crate::store::Store;", &["key.rs:1: domain imports crate::store::Store"]);
    check(
        "domain/key.rs",
        "use crate::{\n    domain::name,\n    store::{self, pool},\n};",
        &["crate::store", "crate::store::pool"],
    );
    check("domain/key.rs", "pub(crate) use crate::actor as renamed;", &["crate::actor"]);
    check("domain/key.rs", "fn f(_: crate::api::Client) {}", &["crate::api::Client"]);
    check("domain/key.rs", "type T = Vec<<crate::api::A as B>::C>;", &["crate::api::A"]);
    check("domain/key.rs", "macro_rules! m { () => { $crate::store::Store }; }", &["crate::store::Store"]);
    check("domain/key.rs", "fn f() { retcon::store::x() }", &["crate::store::x"]);
    check("domain/key.rs", "extern crate tokio as t;", &["tokio"]);
    check("domain/key.rs", "fn f() { ::tokio::spawn(()) }", &["tokio::spawn"]);
    check("domain/key.rs", "#[tokio::test] fn f() {}", &["tokio::test"]);
}

#[test]
fn climbing_out_of_the_layer_is_found() {
    check("domain/key.rs", "use super::super::store::Store;", &["crate::store::Store"]);
    check("domain/merge/mod.rs", "use super::super::store;", &["crate::store"]);
    check("domain/merge/mod.rs", "use super::key;", &[]);
    check("domain/mod.rs", "use super::*;", &["crate::*"]);
    check("domain.rs", "fn f() { super::store::f() }", &["crate::store::f"]);
    check(
        "domain/key.rs",
        "mod tests { use super::super::super::store; }\nuse super::super::log;",
        &["crate::store", "crate::log"],
    );
    check("domain/key.rs", "mod tests { fn f() { if true {} } } use super::name;", &[]);
}

#[test]
fn another_name_for_a_module_hides_nothing() {
    check("domain/key.rs", "use crate as all; use all::store::Store;", &["crate::store::Store"]);
    check("domain/key.rs", "fn f() { time::Instant::now(); } use std::time;", &["std::time::Instant::now"]);
    check("domain/key.rs", "use std::{self as s}; fn f() { s::fs::read(p) }", &["std::fs::read"]);
    check("domain/key.rs", "use super::super as root; type S = root::store::Store;", &["crate::store::Store"]);
}

#[test]
fn clocks_files_and_chance_are_found_in_the_domain() {
    check("domain/key.rs", "use std::time::{Duration, SystemTime};", &["std::time::SystemTime"]);
    check("domain/key.rs", "use std::time::*;", &["std::time::*"]);
    check("domain/key.rs", "fn f() { jiff::Timestamp::now(); uuid::Uuid::new_v4(); }", &["now", "new_v4"]);
    check("domain/key.rs", "use std::fs::File;", &["std::fs::File"]);
    check("domain/key.rs", "async fn f() {}", &["key.rs:1: domain is never asynchronous"]);
}

#[test]
fn each_layer_has_its_own_prohibitions() {
    check("config/model.rs", "use crate::actor::Entity;", &["crate::actor"]);
    check(
        "source/run.rs",
        "use actix::Actor; use crate::store::Store; use crate::api;",
        &["actix", "crate::store", "crate::api"],
    );
    check("store/pool.rs", "use crate::actor::Entity; use crate::source; use crate::api;", &["actor", "source", "api"]);
    check(
        "actor/entity.rs",
        "use tokio_postgres::Row; use tokio::process::Command; use reqwest::Client;",
        &["Row", "Command", "Client"],
    );
    check("api/routes/work.rs", "use crate::store::Store; use crate::source::Run;", &["crate::store", "crate::source"]);
    check("cli/notify.rs", "use crate::actor::Supervisor; use crate::store::Store;", &["crate::actor", "crate::store"]);
    check("daemon/mod.rs", "use crate::cli::main;", &["crate::cli"]);
    check("helpers/mod.rs", "", &["no layer of the table"]);
    check("api/mod.rs", "#[path = \"../store/mod.rs\"] mod own;", &["#[path]"]);
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    let source = r##"
        // use crate::store::Store;
        /* crate::store /* nested crate::api */ crate::actor */
        fn f<'a>(x: &'a str) -> char {
            let s = "crate::store \" std::fs"; let r = r#"crate::"store"#; let b = b'"'; let c = '\''; let q = '"';
            value.tokio::<u8>(); let tokio = 1; x.now(); 'a'
        }
        pub(crate) struct S; pub(in crate::domain) struct T;
        use std::time::Duration; use std::{fmt, collections::BTreeMap};
    "##;
    check("domain/key.rs", source, &[]);
}
