//! No file of code is so long that it hides its shape.

use std::fs;
use std::path::{Path, PathBuf};

/// Past it a file hides its shape.
const LONGEST: usize = 500;
/// Where code stands, and what kinds of file it is in.
const PLACES: [&str; 8] = ["src", "tests", "benches", "migrations", "examples", "packaging", "config", "fuzz"];
const KINDS: [&str; 10] = ["rs", "sql", "sh", "py", "c", "toml", "html", "css", "js", "conf"];

/// Says which of `files` are too long.
fn too_long(files: &[(PathBuf, String)]) -> Vec<String> {
    files
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{}: {lines} lines; {LONGEST} is the most", path.display()))
        .collect()
}

fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("it can be read").path();
        let kind = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            // What fuzzing builds stands below it.
            if path.file_name().is_none_or(|name| name != "target") {
                collect(&path, found);
            }
        } else if kind.is_some_and(|kind| KINDS.contains(&kind)) {
            let text = fs::read(&path).expect("it can be read");
            found.push((path, String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root.join(place), &mut files);
    }
    assert!(files.iter().any(|(path, _)| path.ends_with("src/lib.rs")), "the sources are found");
    let found = too_long(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_file_of_five_hundred_and_one_lines_is_found() {
    let of = |lines| (PathBuf::from(format!("src/of_{lines}.rs")), "\n".repeat(lines));
    assert_eq!(too_long(&[of(500), of(501)]), ["src/of_501.rs: 501 lines; 500 is the most"]);
}
