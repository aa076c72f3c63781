//! Builds the list of migrations into the library: every `V<n>__<name>.sql` of this directory, in order.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("migrations");
    let mut found: Vec<(u32, String)> = fs::read_dir(&directory)
        .expect("the directory of this script can be read")
        .map(|entry| entry.expect("an entry can be read").file_name().into_string().expect("names are UTF-8"))
        .filter(|name| name.ends_with(".sql"))
        .map(|name| (number(&name), name))
        .collect();
    found.sort();
    for (place, (number, name)) in (1..).zip(&found) {
        assert!(*number == place, "migrations/{name} should be number {place}: numbers count from 1, without a gap");
    }

    let mut list = String::from("&[\n");
    for (number, name) in &found {
        let path = directory.join(name);
        writeln!(list, "    Migration {{ number: {number}, name: {name:?}, sql: include_str!({path:?}) }},")
            .expect("a string takes every text");
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("migrations.rs");
    fs::write(out, list).expect("the output directory can be written");
}

/// Gives the number of a migration's file.
fn number(name: &str) -> u32 {
    name.strip_prefix('V')
        .and_then(|rest| rest.split_once("__"))
        .and_then(|(number, _)| number.parse().ok())
        .unwrap_or_else(|| panic!("migrations/{name} should be named V<n>__<name>.sql"))
}
