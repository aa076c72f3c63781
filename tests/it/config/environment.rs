//! Settings from the environment.

use retcon::config::model::{DatabaseUrl, Severity};

use super::Home;

#[test]
fn variables_override_the_file() {
    let home = Home::with("[server]\nlisten = '127.0.0.1:1'\ngrace = '1s'\n[database]\npool_size = 3\n")
        .variable("RETCON__SERVER__LISTEN", "")
        .variable("RETCON__SERVER__HOSTS", "a.example, b.example")
        .variable("RETCON__SERVER__TLS__CERT", "retcon.toml")
        .variable("RETCON__SERVER__TLS__KEY", "retcon.toml")
        .variable("RETCON__DATABASE__URL", "postgres://h/d")
        .variable("RETCON__DATABASE__POOL_SIZE", "5")
        .variable("RETCON__LOG__LEVEL", "debug")
        .variable("RETCON__RELOAD__WATCH", "false")
        .variable("RETCON_URL", "http://localhost:1")
        .variable("OTHER__THING", "1");
    let config = home.config();
    assert_eq!((config.server.listen, config.server.grace.as_secs()), (None, 1));
    assert_eq!(config.server.hosts, ["a.example", "b.example"]);
    assert_eq!(config.server.tls.map(|tls| tls.cert), Some(home.path("retcon.toml")));
    assert_eq!(
        (config.database.url, config.database.pool_size),
        (DatabaseUrl::External("postgres://h/d".to_owned()), 5)
    );
    assert_eq!((config.log.level, config.reload.watch), (Severity::Debug, false));
}

#[test]
fn a_list_may_be_written_as_toml_too() {
    let hosts = |text: &str| Home::with("").variable("RETCON__SERVER__HOSTS", text).config().server.hosts;
    assert_eq!(hosts("['a', \"b\"]"), ["a", "b"]);
    assert!(hosts("").is_empty());
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    let home = Home::with("[log]\nlevel = 'loud'\n")
        .variable("RETCON__DATABASE__POOL_SIZE", "many")
        .variable("RETCON__DATABASE__URL", "mysql://ann:hunter2@h/d")
        .variable("RETCON__ENTITIES__CUSTOMER__MODE", "observe")
        .variable("RETCON__RELOAD__WATCH", "yes")
        .variable("RETCON__RETENTION__WORK", "1d")
        .variable("RETCON__SERVER", "x")
        .variable("RETCON__SERVER__GRACE", "2h")
        .variable("RETCON__SERVER__LISTN", "x")
        .variable("RETCON__server__listen", "x");
    let url = r#"expected "embedded" or postgres://USER:PASSWORD@HOST:PORT/DATABASE, found something else (it may be secret and is not shown)"#;
    assert_eq!(
        home.errors(),
        [
            r#"retcon.toml:2:9: log.level: expected "emerg", "alert", "crit", "error", "warning", "notice", "info" or "debug", found "loud""#,
            r#"environment variable RETCON__DATABASE__POOL_SIZE: database.pool_size: expected a whole number from 1 to 1000, found "many""#,
            &format!("environment variable RETCON__DATABASE__URL: database.url: {url}"),
            "environment variable RETCON__ENTITIES__CUSTOMER__MODE: entities are not set by the environment, but in the file",
            r#"environment variable RETCON__RELOAD__WATCH: reload.watch: expected true or false, found "yes""#,
            "environment variable RETCON__RETENTION__WORK: retention is not set by the environment, but in the file",
            "environment variable RETCON__SERVER: no setting has this name",
            r#"environment variable RETCON__SERVER__GRACE: server.grace: expected a duration such as "30s" or "1h 30m", from 1ms to 1h, or "0s", found "2h""#,
            r#"environment variable RETCON__SERVER__LISTN: no setting has this name, did you mean "RETCON__SERVER__LISTEN"?"#,
            r#"environment variable RETCON__server__listen: no setting has this name, did you mean "RETCON__SERVER__LISTEN"?"#,
        ]
    );
}

#[test]
fn what_does_not_fit_the_rest_is_blamed_on_the_variable_that_brought_it() {
    let home = Home::with("").variable("RETCON__SERVER__STATE_DIR", &"/x".repeat(60));
    let errors = home.load().expect_err("the path is too long").errors;
    assert_eq!(errors[0].variable(), Some("RETCON__SERVER__STATE_DIR"));
    assert_eq!((errors[0].key.as_str(), errors[0].position()), ("server.state_dir", None));
}
