//! Holds the documents to the schema: docs/configuration.md is written from it, config/retcon.example.toml mentions all of it.

use super::*;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const EXAMPLE: &str = include_str!("../../../config/retcon.example.toml");
/// What stands below this line in docs/configuration.md is written by the test.
const MARK: &str = "<!-- What follows is written from src/config/schema; RETCON_WRITE_DOCS=1 cargo test the_reference renews it. -->\n";

/// A table of the file, by the header that it has in the documents.
struct Section {
    header: String,
    table: &'static Table,
    doc: &'static str,
}

fn sections() -> Vec<Section> {
    fn collect(header: &str, table: &'static Table, found: &mut Vec<Section>) {
        for key in table.keys {
            let header = if header.is_empty() { key.name.to_owned() } else { format!("{header}.{}", key.name) };
            let (header, table): (String, &'static Table) = match &key.kind {
                Kind::Table(table) => (header, table),
                Kind::Map { keys, values: Kind::Table(table) } if keys.expected == form::POINTER.expected => {
                    (format!("{header}.\"/POINTER\""), table)
                }
                Kind::Map { values: Kind::Table(table), .. } => (format!("{header}.NAME"), table),
                _ => continue,
            };
            found.push(Section { header: header.clone(), table, doc: key.doc });
            collect(&header, table, found);
        }
    }
    let mut found = Vec::new();
    collect("", &ROOT, &mut found);
    found
}

fn reference() -> String {
    let mut text = String::new();
    for Section { header, table, doc } in sections() {
        let reload = match table.reload {
            Reload::Restart => "A change needs a restart of the daemon.",
            Reload::AtOnce => "A reload applies a change at once.",
            Reload::RestartsTheSource => "A reload applies a change and restarts the actor of this source alone.",
        };
        text += &format!("\n## `[{header}]`\n\n{doc} {reload}\n\n| key | holds | default | |\n|---|---|---|---|\n");
        for key in table.keys {
            let holds = match &key.kind {
                Kind::Table(_) => "a table, below".to_owned(),
                Kind::Map { values: Kind::Table(_), .. } => "tables, below".to_owned(),
                Kind::Map { .. } => "a table of texts".to_owned(),
                Kind::List(of) => format!("a list; each: {}", of.expected()),
                kind => kind.expected().replace(" such as \"30s\" or \"1h 30m\",", ""),
            };
            let default = key.default.map(|default| format!("`{default}`")).unwrap_or_default();
            let row = [key.name, &holds, &default, key.doc].map(|cell| cell.replace('|', "\\|"));
            text += &format!("| `{}` | {} | {} | {} |\n", row[0], row[1], row[2], row[3]);
        }
    }
    text
}

#[test]
fn the_reference_says_what_the_schema_says() {
    let written = std::fs::read_to_string(REFERENCE).expect("docs/configuration.md can be read");
    let (by_hand, _) = written.split_once(MARK).expect("docs/configuration.md has the mark");
    let expected = format!("{by_hand}{MARK}{}", reference());
    if std::env::var_os("RETCON_WRITE_DOCS").is_some() {
        std::fs::write(REFERENCE, &expected).expect("docs/configuration.md can be written");
        return;
    }
    let first = written.lines().zip(expected.lines()).find(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "docs/configuration.md is out of date, first here: {first:#?}\nrenew it with RETCON_WRITE_DOCS=1"
    );
}

#[test]
fn the_example_mentions_every_setting() {
    let lines: Vec<&str> = EXAMPLE.lines().map(|line| line.trim_start_matches("#: ")).collect();
    for Section { header, table, .. } in sections() {
        for key in table.keys {
            let mentions = |line: &&str| {
                let set = line.starts_with(&format!("{} = ", key.name));
                let inline =
                    line.contains(&format!("{{ {} = ", key.name)) || line.contains(&format!(", {} = ", key.name));
                let below = line.starts_with('[') && line.contains(&format!("{}]", key.name))
                    || line.contains(&format!("{}.", key.name));
                set || inline || below
            };
            assert!(
                lines.iter().any(mentions),
                "config/retcon.example.toml does not mention {} of [{header}]",
                key.name
            );
        }
    }
}

#[test]
fn every_section_that_the_environment_overrides_is_one() {
    assert!(ENVIRONMENT_SECTIONS.iter().all(|name| ROOT.key(name).is_some()));
}

#[test]
fn a_key_at_the_wrong_place_is_known_by_its_home() {
    assert_eq!(home_of("timeout").as_deref(), Some("entities.NAME.sources.NAME"));
    assert_eq!(home_of("pool_size").as_deref(), Some("database"));
    assert_eq!(home_of("server"), None);
    assert_eq!(home_of("nonsense"), None);
}
