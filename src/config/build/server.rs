//! `[server]` and `[database]`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Context;
use crate::config::address::Address;
use crate::config::file;
use crate::config::key_path::KeyPath;
use crate::config::model::{Database, DatabaseUrl, SOCKET, Server, Tls};
use crate::config::schema::form::quote;

/// The longest path of a unix socket, in bytes.
const SOCKET_PATH_MAX: usize = 107;

/// The socket of the private PostgreSQL within `state_dir`.
const POSTGRES_SOCKET: &str = "pg/sock/.s.PGSQL.5432";

pub(super) fn server(context: &mut Context<'_>, server: file::Server, database: &Database) -> Server {
    let section = KeyPath::of(["server"]);
    let state_dir = context.absolute(&server.state_dir);
    check_socket_paths(context, &section.key("state_dir"), &state_dir, database);
    Server {
        listen: listen(context, &section.key("listen"), &server.listen),
        hosts: server.hosts,
        tls: tls(context, &section.key("tls"), server.tls),
        state_dir,
        grace: server.grace.0,
    }
}

fn check_socket_paths(context: &mut Context<'_>, path: &KeyPath, state_dir: &Path, database: &Database) {
    let mut sockets = vec![state_dir.join(SOCKET)];
    if database.url == DatabaseUrl::Embedded {
        sockets.push(state_dir.join(POSTGRES_SOCKET));
    }
    let length = |socket: &PathBuf| socket.as_os_str().as_bytes().len();
    if let Some(socket) =
        sockets.iter().max_by_key(|socket| length(socket)).filter(|socket| length(socket) > SOCKET_PATH_MAX)
    {
        let over = length(socket) - SOCKET_PATH_MAX;
        let shown = socket.display();
        let message = format!(
            "the path of a unix socket is at most {SOCKET_PATH_MAX} bytes long, and {shown} is {over} too long"
        );
        context.error_with_hint(path, message, "choose a directory with a shorter path");
    }
}

fn listen(context: &mut Context<'_>, path: &KeyPath, text: &str) -> Option<SocketAddr> {
    if text.is_empty() {
        return None;
    }
    let found = text.to_socket_addrs().map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Some(address),
        Ok(None) => {
            context.error(path, format!("cannot resolve {}: it has no address", quote(text)));
            None
        }
        Err(error) => {
            context.error(path, format!("cannot resolve {}: {error}", quote(text)));
            None
        }
    }
}

fn tls(context: &mut Context<'_>, path: &KeyPath, tls: file::Tls) -> Option<Tls> {
    let (cert, key) = match (tls.cert, tls.key) {
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) if !context.places.mentions(&path.key("key")) => {
            context.error(path, "expected both cert and key, found cert alone");
            return None;
        }
        (None, Some(_)) if !context.places.mentions(&path.key("cert")) => {
            context.error(path, "expected both cert and key, found key alone");
            return None;
        }
        (Some(_) | None, Some(_) | None) => return None,
    };
    let mut file = |name: &str, written: String| {
        let file = context.absolute(&written);
        if !file.is_file() {
            context.error(&path.key(name), format!("expected a file, and {} is none", quote(&file.to_string_lossy())));
        }
        file
    };
    Some(Tls { cert: file("cert", cert), key: file("key", key) })
}

pub(super) fn database(context: &mut Context<'_>, database: file::Database) -> Database {
    let url = match database.url.as_str() {
        "embedded" => DatabaseUrl::Embedded,
        _ => {
            check_url(context, &database.url);
            DatabaseUrl::External(database.url)
        }
    };
    let bin_dir = (!database.bin_dir.is_empty()).then(|| context.absolute(&database.bin_dir));
    let is_missing = |program: &str| bin_dir.as_ref().is_some_and(|directory| !directory.join(program).is_file());
    let missing = ["initdb", "postgres"].into_iter().find(|program| is_missing(program));
    if let (DatabaseUrl::Embedded, Some(program)) = (&url, missing) {
        let path = KeyPath::of(["database", "bin_dir"]);
        let message = format!(
            "expected the directory of initdb and postgres, and {program} is not in {}",
            quote(&database.bin_dir)
        );
        context.error(&path, message);
    }
    Database { url, bin_dir, pool_size: database.pool_size }
}

/// Says what is wrong with how the way to the database is to be secured.
fn check_url(context: &mut Context<'_>, url: &str) {
    let path = KeyPath::of(["database", "url"]);
    match Address::parse(url) {
        Ok(address) => {
            for (name, file) in address.files().filter(|(_, file)| !file.is_file()) {
                let message = format!("{name}: expected a file, and {} is none", quote(&file.to_string_lossy()));
                context.error(&path, message);
            }
        }
        // Its form has been told of already.
        Err(error) if error.names_no_database() => {}
        Err(error) => context.error(&path, error.to_string()),
    }
}
