//! The commands of sources.

use std::path::Path;

use retcon::config::model::Command;

use super::{Home, errors, source};

fn home(source: &str) -> Home {
    Home::with(format!("[entities.e.sources.other]\ncommand = 'true'\n[entities.e.sources.s]\n{source}\n"))
}

fn command(program: impl AsRef<Path>, args: &[&str]) -> Command {
    Command { program: program.as_ref().to_owned(), args: args.iter().map(|arg| (*arg).to_owned()).collect() }
}

#[test]
fn one_command_stands_for_four_operations_and_each_may_be_overridden() {
    let home = home("command = ['./s.py', '--x y']\nupdate = \"./s.py 'up date' --key=%fk\"\nlist = './s.py list'");
    let home = home.file("s.py", "", 0o755);
    let commands = source(&home.config(), "e", "s").commands.clone();
    let program = home.path("s.py");
    assert_eq!(commands.create, Some(command(&program, &["--x y", "create"])));
    assert_eq!(commands.read, command(&program, &["--x y", "read"]));
    assert_eq!(commands.update, Some(command(&program, &["up date", "--key=%fk"])));
    assert_eq!(commands.delete, Some(command(&program, &["--x y", "delete"])));
    assert_eq!(commands.list, Some(command(&program, &["list"])));
    assert_eq!(commands.find, None);
    assert_eq!(home.warnings(), Vec::<String>::new());
}

#[test]
fn a_bare_name_is_looked_up_on_the_path_of_the_environment() {
    let home = home("command = 'prog'").file("prog", "", 0o755);
    let before = source(&home.config(), "e", "s").commands.read.clone();
    assert_eq!(before.program, Path::new("prog"));
    let directory = home.path("").display().to_string();
    let mut home = home;
    home.environment = vec![("PATH".to_owned(), format!("relative:/nowhere:{directory}"))];
    assert_eq!(source(&home.config(), "e", "s").commands.read.program, home.path("prog"));
}

#[test]
fn a_program_that_is_not_there_is_doubtful_once_and_no_error() {
    let warnings = |program: &str| home(&format!("command = '{program}'")).file("plain", "", 0o644).warnings();
    assert_eq!(
        warnings("./gone"),
        [r#"retcon.toml:4:11: entities.e.sources.s.command: cannot run "gone": there is no such file"#]
    );
    assert_eq!(
        warnings("no-such-program-1"),
        [r#"retcon.toml:4:11: entities.e.sources.s.command: cannot find the program "no-such-program-1" on PATH"#]
    );
    assert!(warnings("./plain")[0].ends_with("it is not executable; `chmod +x` makes it so"));
    assert!(warnings("/usr")[0].ends_with(r#"cannot run "/usr": it is not a file"#));
}

#[test]
fn an_operation_left_out_is_doubtful_and_a_missing_read_is_an_error() {
    assert_eq!(
        home("read = 'true'").warnings(),
        ["create", "delete", "update"].map(|name| format!(
            "retcon.toml:3:21: entities.e.sources.s: {name} is left out: work that needs it is parked"
        ))
    );
    assert_eq!(
        home("create = 'true'").errors(),
        ["retcon.toml:3:21: entities.e.sources.s: expected command or read, found neither"]
    );
}

#[test]
fn only_an_operation_on_a_key_has_one() {
    for name in ["create", "list", "find"] {
        let errors = home(&format!("command = 'true'\n{name} = ['true', 'x%fk']")).errors();
        assert_eq!(
            errors,
            [format!(
                "retcon.toml:5:{}: entities.e.sources.s.{name}: %fk stands for a foreign key, and {name} has none",
                name.len() + 4
            )]
        );
    }
    assert!(
        home("command = 'true %fk'").errors()[0]
            .contains("sources.s.command: %fk stands for a foreign key, and create")
    );
    home("command = 'true %fk'\ncreate = 'true'").config();
    home("command = 'true'\nread = 'true %fk'\ndelete = 'true a%fk'").config();
}

#[test]
fn what_cannot_be_run_is_refused() {
    for wrong in ["''", "[]", "['']", "\"true 'x\"", "'./%fk'", "[1]", "true", "{}", "[\"a\\u0000\"]"] {
        let errors = errors(&format!("[entities.e.sources.s]\nread = {wrong}\n"));
        assert!(
            errors.len() == 1 && errors[0].starts_with("retcon.toml:2:8: entities.e.sources.s.read: expected"),
            "{wrong}: {errors:?}"
        );
    }
}

#[test]
fn the_program_of_alerts_is_found_like_any_other() {
    let home = Home::with("alerts.command = './alert.sh --to ops'\nalerts.on = ['parked', 'conflict', 'parked']")
        .file("alert.sh", "", 0o755);
    let alerts = home.config().alerts;
    assert_eq!(alerts.command, [home.path("alert.sh").to_str().expect("a text"), "--to", "ops"]);
    assert_eq!(alerts.on.len(), 2);
    assert!(Home::with("alerts.command = []").config().alerts.command.is_empty());
    assert!(errors("alerts.on = ['confilct']")[0].ends_with(r#"found "confilct", did you mean "conflict"?"#));
}
