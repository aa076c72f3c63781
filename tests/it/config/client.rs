//! What client commands take from a file, however broken it is.

use std::path::PathBuf;

use retcon::config::{self, ConfigErrors};

use super::Home;

fn state_dir(home: &Home) -> Result<PathBuf, ConfigErrors> {
    config::client(&home.path("retcon.toml"), home.environment.clone()).map(|client| client.state_dir)
}

#[test]
fn the_state_directory_is_found_in_a_broken_file() {
    for toml in [
        "[server]\nstate_dir = 'here'\n",
        "server.state_dir = 'here'\n",
        "[alerts]\ncommand = [ 'a',\n[server]\nstate_dir = 'here'\n",
        "[alerts]\ncommand = '''\n[server]\nstate_dir = 'here'\n",
        "nonsense\n[log\n[server]\nlisten = 5\nstate_dir = \"here\"\nfoo = \n[entities.a.sources.b]\n",
        "[server]\nhosts = [\nstate_dir = 'here'\n",
        "[server]\ngrace = '1s'\n[server]\nstate_dir = 'here'\n",
    ] {
        let home = Home::with(toml);
        assert_eq!(state_dir(&home), Ok(home.path("here")), "{toml}");
    }
    let home = Home::with(b"# \xff\n[server]\nstate_dir = 'here'\n");
    assert_eq!(state_dir(&home), Ok(home.path("here")));
}

#[test]
fn without_the_setting_it_is_the_default_and_the_environment_overrides_it() {
    let home = Home::with("[log]\nlevel = 'loud'\n");
    assert_eq!(state_dir(&home), Ok(home.path("state")));
    let home = Home::with("[server]\nstate_dir = 5").variable("RETCON__SERVER__STATE_DIR", "/there");
    assert_eq!(state_dir(&home), Ok(PathBuf::from("/there")));
    let client = config::client(&home.path("retcon.toml"), home.environment.clone()).expect("it is overridden");
    assert_eq!(client.socket(), PathBuf::from("/there/retcon.sock"));
}

#[test]
fn a_state_directory_that_is_broken_itself_is_an_error() {
    for toml in [
        "[server]\nstate_dir = 5\n",
        "[server]\nstate_dir = 'x\n",
        "[server]\nstat_dir = 'x'\n",
        "[server\nstate_dir = 'x'\n",
        "server = 3\n",
    ] {
        let home = Home::with(toml);
        let errors = state_dir(&home).expect_err(toml).errors;
        assert!(
            errors.iter().all(|finding| finding.key.starts_with("server")) && !errors.is_empty(),
            "{toml}: {errors:?}"
        );
    }
    assert!(config::client(&Home::with("").path("gone.toml"), []).is_err());
}
