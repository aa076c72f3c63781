//! What is said of a bad file.

use proptest::prelude::*;
use retcon::config;

use super::example::active_example;
use super::{Home, errors};

#[test]
fn every_mistake_of_a_file_is_reported_at_once_with_its_line_and_key() {
    let toml = r#"
[server]
listne = "127.0.0.1:1"
grace = "30 parsecs"
tls = { cert = "retcon.toml" }

[database]
url = "mysql://ann:hunter2@example.com/db"
pool_size = 8.0

[log]
level = "warn"

[reload]
watch = "yes"

[entities."my customer"]

[entities.customer]
merge_policy = "trust-only:cmr"
on_delete = "propagat"
match = ["/email", "phone"]
retry = { first = "10m", max = "5m" }
timeout = "5s"

[entities.customer.arrays."/phones"]
set = false

[entities.customer.sources.crm]
command = ["true"]
create = "true %fk"
update = "true 'x"

[entities.customer.sources.billing]
delete = "true"

[entities.order]
"#;
    assert_eq!(
        errors(toml),
        [
            r#"retcon.toml:3:1: server.listne: unknown key, did you mean "listen"?"#,
            r#"retcon.toml:4:9: server.grace: expected a duration such as "30s" or "1h 30m", from 1ms to 1h, or "0s", found "30 parsecs""#,
            r#"retcon.toml:5:1: server.tls: expected both cert and key, found cert alone"#,
            r#"retcon.toml:8:7: database.url: expected "embedded" or postgres://USER:PASSWORD@HOST:PORT/DATABASE, found something else (it may be secret and is not shown)"#,
            r#"retcon.toml:9:13: database.pool_size: expected a whole number from 1 to 1000, found the number 8.0"#,
            r#"retcon.toml:12:9: log.level: expected "emerg", "alert", "crit", "error", "warning", "notice", "info" or "debug", found "warn", did you mean "warning"?"#,
            r#"retcon.toml:15:9: reload.watch: expected true or false, found "yes""#,
            r#"retcon.toml:17:11: entities."my customer": expected a name (1 to 64 of A-Z a-z 0-9 _ -), found "my customer""#,
            r#"retcon.toml:20:16: entities.customer.merge_policy: the entity has no source "cmr", did you mean "crm"?"#,
            r#"retcon.toml:21:13: entities.customer.on_delete: expected "propagate", "recreate", "unlink" or "hold", found "propagat", did you mean "propagate"?"#,
            r#"retcon.toml:22:20: entities.customer.match[1]: expected a JSON pointer ("", or "/" before each name, ~ as ~0 and / as ~1), found "phone""#,
            r#"retcon.toml:23:19: entities.customer.retry.first: first (10m) is longer than max (5m)"#,
            r#"retcon.toml:24:1: entities.customer.timeout: unknown key"#,
            r#"retcon.toml:26:27: entities.customer.arrays."/phones": expected either key or set = true, found neither"#,
            r#"retcon.toml:31:10: entities.customer.sources.crm.create: %fk stands for a foreign key, and create has none"#,
            r#"retcon.toml:32:10: entities.customer.sources.crm.update: expected a program and its arguments, but a quote is opened and not closed, or the text ends in a lone backslash"#,
            r#"retcon.toml:34:28: entities.customer.sources.billing: expected command or read, found neither"#,
            r#"retcon.toml:37:11: entities.order: the entity has no source: there is nothing to keep in step"#,
        ]
    );
}

#[test]
fn a_syntax_error_names_the_key_at_which_the_broken_value_began_and_hides_no_other_mistake() {
    let toml = r#"stray words
[server]
listen = "127.0.0.1:8470
hosts = [
  "a",
  "b"

[log]
level = loud
format = "auto"
format = "text"
colour = # none

[retention
work = "8d"

[database]
pool_size = 0

[entities.customer.sources.crm]
read = "true
env = { TOKEN = "hunter2" TOKEN_2 = "hunter3" }
"#;
    assert_eq!(
        errors(toml),
        [
            r#"retcon.toml:1:7: not TOML, in the line that begins with "stray": key with no value, expected `=`"#,
            r#"retcon.toml:3:25: server.listen: not TOML: invalid basic string, expected `"`"#,
            r#"retcon.toml:4:1: server.hosts: the list that begins here is never closed"#,
            r#"retcon.toml:9:9: log.level: not TOML: string values must be quoted, expected literal string"#,
            r#"retcon.toml:11:1: log.format: "format" stands twice, first in line 10"#,
            r#"retcon.toml:12:10: log.colour: the value is missing"#,
            r#"retcon.toml:14:11: retention: not TOML: unclosed table, expected `]`"#,
            r#"retcon.toml:18:13: database.pool_size: expected a whole number from 1 to 1000, found the whole number 0"#,
            r#"retcon.toml:21:13: entities.customer.sources.crm.read: not TOML: invalid basic string, expected `"`"#,
            r#"retcon.toml:22:27: entities.customer.sources.crm.env: not TOML: missing comma between key-value pairs, expected `,`"#,
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let home = Home::with("");
    let missing = config::load(&home.path("nowhere.toml"), []).expect_err("there is no such file");
    assert_eq!(
        home.shorten(&missing.errors[0].to_string()),
        "nowhere.toml: cannot read the file: No such file or directory (os error 2)"
    );
    assert_eq!(missing.errors[0].hint.as_deref(), Some("`retcon init` writes a configuration"));
    let directory = config::load(home.directory.path(), []).expect_err("that is a directory");
    assert!(directory.to_string().contains("Is a directory"), "{directory}");
    assert_eq!(
        Home::with(b"[log]\nlevel = '\xff'\n").errors(),
        ["retcon.toml:2:10: expected UTF-8, found other bytes"]
    );
}

#[test]
fn no_secret_is_shown_whatever_is_wrong_with_it() {
    let toml = r#"
[database]
url = ["postgres://ann:hunter2@h/d"]
[entities.customer.sources.crm]
read = "true --password hunter2 'x"
env = { A = 12345, B = ["hunter2"], C = "hunter2\u0000", RETCON_KEY = "hunter2" }
[entities.customer.sources.crm.fields]
"hunter" = 1
[entities.customer.sources.billing.env]
TOKEN = "hunter2
PASSWORD "hunter2="
hunter2 foo
[database hunter2=
"#;
    let shown = Home::with(toml)
        .variable("RETCON__DATABASE__URL", "postgres://ann:hunter2@h:port/d")
        .load()
        .expect_err("the file is wrong");
    assert!(shown.errors.len() >= 8, "{shown}");
    for secret in ["hunter2", "12345"] {
        assert!(!format!("{shown}{shown:?}").contains(secret), "{secret} is in {shown}\n{shown:?}");
    }
}

#[test]
fn a_key_at_the_wrong_level_is_told_where_it_belongs() {
    let home = Home::with("pool_size = 3\n[entities.a]\ntimeout = '3s'\nfoo = 1\n");
    let errors = home.load().expect_err("the file is wrong").errors;
    let hints: Vec<_> = errors.iter().filter_map(|finding| finding.hint.as_deref()).collect();
    assert_eq!(hints[0], r#""pool_size" belongs in [database]"#);
    assert_eq!(hints[1], r#""timeout" belongs in [entities.NAME.sources.NAME]"#);
    assert!(hints[2].starts_with("known here: description, schema, mode,"), "{}", hints[2]);
}

#[test]
fn a_misspelt_or_broken_setting_is_not_called_missing_as_well() {
    for broken in ["raed = 'true'", "read = ", "read = 5", "comand = 'true'", "read"] {
        let toml = format!("[entities.a.sources.b]\nread = 'true'\n[entities.a.sources.c]\n{broken}\n");
        assert_eq!(errors(&toml).len(), 1, "{:?}", errors(&toml));
    }
    assert_eq!(errors("[entities.a]\n[entities.a.sources.b\nread = 'true'\n").len(), 1);
    assert_eq!(errors("[entities.a]\nsource.b.read = 'true'\n").len(), 1);
}

#[test]
fn a_list_that_is_never_closed_hides_none_of_the_sections_below_it() {
    let toml = "[alerts]\ncommand = [ 'a',\n 'b'\n\n[log]\nlevel = 'x'\n[server]\ngrace = 1\n";
    let errors = errors(toml);
    let starts =
        ["retcon.toml:2:1: alerts.command: the list", "retcon.toml:6:9: log.level:", "retcon.toml:8:9: server.grace:"];
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
    assert!(errors.iter().zip(starts).all(|(error, start)| error.starts_with(start)), "{errors:#?}");
}

#[test]
fn other_line_ends_a_byte_order_mark_and_long_letters_do_not_move_the_place() {
    let toml =
        "\u{feff}[log]\r\nlevel = 'x'\r\nformat = \r\n[entities.a] # \u{e4}\r\ndescription = '\u{e4}\u{1f600}' 5\r\n";
    let places: Vec<String> =
        errors(toml).iter().map(|error| error.split(": ").next().unwrap_or_default().to_owned()).collect();
    assert_eq!(
        places,
        ["retcon.toml:2:9", "retcon.toml:3:10", "retcon.toml:4:11", "retcon.toml:5:20"],
        "{:#?}",
        errors(toml)
    );
}

#[test]
fn a_file_of_nothing_but_mistakes_is_given_up_in_the_end() {
    assert_eq!(errors(&"= 1\n".repeat(2_000)).len(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_bytes_stand_in_the_file_nothing_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..12)) {
        let mut bytes = active_example().into_bytes();
        for (index, byte, kind) in changes {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"[]{}\"'=#\n,."[usize::from(byte) % 11]),
                _ => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
            }
        }
        let home = Home::with(bytes);
        if let Err(errors) = home.load() {
            prop_assert!(!errors.errors.is_empty());
            prop_assert!(errors.errors.is_sorted());
        }
        let _ = config::client(&home.path("retcon.toml"), []);
    }
}
