//! The way to the database, which a test can cut.

use tokio_postgres::NoTls;

use super::postgres::block_on;
use super::site::Site;
use super::system::Language;

/// A site whose daemon reaches the database through a link of its own, which a test can take away.
pub(crate) struct Cable {
    pub(crate) site: Site,
    sockets: String,
}

impl Cable {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn plug(&self) {
        std::os::unix::fs::symlink(&self.sockets, self.site.path().join("cable")).expect("a link");
    }

    /// Ends every session, and lets none begin.
    pub(crate) fn pull(&self) {
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
