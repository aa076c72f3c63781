//! What is answered while the database is away, and afterwards.

use tokio_postgres::NoTls;

use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

/// A site whose daemon reaches the database through a link of its own, which a test can take away.
struct Cable {
    site: Site,
    sockets: String,
}

impl Cable {
    fn new() -> Self {
        let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
        let url = site.database().url();
        let encoded = url.split(['@', '/']).nth(3).expect("a URL with a host").to_owned();
        let link = site.path().join("cable").display().to_string().replace('/', "%2F");
        let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
        site.write("retcon.toml", &config.replace(&encoded, &link));
        let cable = Self { site, sockets: encoded.replace("%2F", "/") };
        cable.plug();
        cable
    }

    fn plug(&self) {
        std::os::unix::fs::symlink(&self.sockets, self.site.path().join("cable")).expect("a link");
    }

    /// Ends every session, and lets none begin.
    fn pull(&self) {
        std::fs::remove_file(self.site.path().join("cable")).expect("the link");
        let config = self.site.database().config();
        let name = config.get_dbname().expect("a database").to_owned();
        block_on(async move {
            let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
            tokio::spawn(connection);
            let end =
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()";
            client.execute(end, &[&name]).await.expect("sessions can be ended");
        });
    }
}

const NOTIFICATION: &str = r#"{"entity":"customer","source":"crm","key":"c1"}"#;

#[test]
fn nothing_is_acknowledged_without_the_database_and_all_is_well_again_with_it() {
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    site.notify("crm", "c1");

    cable.pull();
    let requests = [
        ("POST", "/v1/notifications", Some(NOTIFICATION)),
        ("POST", "/v1/records/customer/1/sync", None),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":1}"#)),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":true}"#)),
        ("POST", "/v1/work-items/1/retry", None),
        ("DELETE", "/v1/work-items/1", None),
        ("GET", "/v1/work-items", None),
        ("GET", "/v1/records/customer", None),
        ("GET", "/v1/records/customer/1", None),
        ("GET", "/v1/records/customer/1/history", None),
        ("GET", "/v1/records/customer/1/provenance", None),
        ("GET", "/v1/conflicts", None),
    ];
    for (method, path, body) in requests {
        let answer = site.http(method, path, body).has_problem(503, "store-unavailable");
        assert!(answer.head.to_lowercase().contains("\r\nretry-after: "), "{answer}");
    }
    site.http("GET", "/readyz", None).has_problem(503, "not-ready");
    site.http("GET", "/healthz", None).has_status(200);
    site.retcon(&["notify", "customer", "crm", "c1"]).exits(1).complains_of("store-unavailable").complains_of("hint: ");

    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    cable.plug();
    let plugged = || site.http("POST", "/v1/notifications", Some(NOTIFICATION));
    until(|| (plugged().status == 202).then_some(()), || plugged().to_string());
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    daemon.stop();
}
