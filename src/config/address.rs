//! Where a database is and how the way to it is secured, as its URL says.
//!
//! What `sslmode` and its companions mean is decided here: the driver knows neither verification nor files. This page of the
//! manual is docs/operations.md, "PostgreSQL".

use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A database, as a URL names it.
#[derive(Debug, Clone)]
pub struct Address {
    /// Without what the driver does not know.
    pub config: Config,
    pub tls: Tls,
}

/// How the way to the database is secured; ways through a unix socket need nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub check: Check,
    /// The authorities that are trusted: those of this file, or `None`: those of the system.
    pub roots: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What of a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing: whoever listens in is kept out, and whoever stands between is not.
    Nothing,
    /// That an authority that we trust has signed it.
    Authority,
    /// That, and that it is for the host of the URL.
    AuthorityAndName,
}

/// Why a text is not a URL of a database. No value is shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("cannot read the URL of the database")]
    Url(#[source] tokio_postgres::Error),
    #[error("cannot find a host in the URL of the database")]
    NoHost,
    #[error("cannot use this sslmode: it is one of disable, prefer, require, verify-ca and verify-full")]
    Mode,
    #[error("cannot use a relative path as {0}: it is absolute")]
    Relative(&'static str),
    #[error("cannot use sslcert without sslkey, nor sslkey without sslcert")]
    HalfIdentity,
    /// A file is named whose use is excluded by the mode.
    #[error("cannot use sslrootcert with an sslmode that checks nothing: use verify-full, or verify-ca")]
    UnusedRoots,
}

impl AddressError {
    /// Tells whether the text names no database at all, however one would get there.
    pub(super) fn names_no_database(&self) -> bool {
        match self {
            Self::Url(_) | Self::NoHost => true,
            Self::Mode | Self::Relative(_) | Self::HalfIdentity | Self::UnusedRoots => false,
        }
    }
}

impl Address {
    /// Reads a URL: `postgres://...`, several hosts allowed.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (rest, ours) = split(url);
        let mut config: Config = rest.parse().map_err(AddressError::Url)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(AddressError::NoHost);
        }
        let (mode, check) = match ours.mode.as_deref() {
            Some("disable") => (SslMode::Disable, Check::Nothing),
            None | Some("prefer") => (SslMode::Prefer, Check::Nothing),
            Some("verify-ca") => (SslMode::Require, Check::Authority),
            Some("require" | "verify-full") => (SslMode::Require, Check::AuthorityAndName),
            Some(_) => return Err(AddressError::Mode),
        };
        config.ssl_mode(mode);
        Ok(Self { config, tls: tls(check, ours)? })
    }

    /// Takes a connection's settings as they are, on a way that needs no securing.
    pub fn plain(mut config: Config) -> Self {
        config.ssl_mode(SslMode::Disable);
        Self { config, tls: Tls { check: Check::Nothing, roots: None, identity: None } }
    }

    /// The files that are named, each with the parameter that names it.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let (cert, key) = self.tls.identity.as_ref().map(|(cert, key)| (cert, key)).unzip();
        let named = [("sslrootcert", self.tls.roots.as_ref()), ("sslcert", cert), ("sslkey", key)];
        named.into_iter().filter_map(|(name, file)| file.map(|file| (name, file.as_path())))
    }

    /// Says which database is meant, without how one gets in.
    pub fn place(&self) -> String {
        let hosts: Vec<String> = match self.config.get_hosts() {
            [] => self.config.get_hostaddrs().iter().map(ToString::to_string).collect(),
            hosts => hosts.iter().map(host_name).collect(),
        };
        let ports: Vec<String> = self.config.get_ports().iter().map(ToString::to_string).collect();
        format!("{}:{}/{}", hosts.join(","), ports.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

/// Names a host as a person would.
pub fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(directory) => directory.display().to_string(),
    }
}

/// The parameters that the driver does not know.
#[derive(Default)]
struct Ours {
    mode: Option<String>,
    roots: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

/// Takes the parameters that the driver does not know out of a URL.
fn split(url: &str) -> (String, Ours) {
    let mut ours = Ours::default();
    // As the driver reads it: a question mark in a password is none that begins the parameters.
    let from = url.find('@').unwrap_or(0);
    let Some(at) = url[from..].find('?').map(|at| from + at) else { return (url.to_owned(), ours) };
    let mut kept = Vec::new();
    for parameter in url[at + 1..].split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let place = match name {
            "sslmode" => &mut ours.mode,
            "sslrootcert" => &mut ours.roots,
            "sslcert" => &mut ours.cert,
            "sslkey" => &mut ours.key,
            _ => {
                kept.push(parameter);
                continue;
            }
        };
        *place = Some(decode(value));
    }
    let rest = &url[..at];
    (if kept.is_empty() { rest.to_owned() } else { format!("{rest}?{}", kept.join("&")) }, ours)
}

/// Decodes `%` and two hexadecimal digits; what is none stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2).and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()))
            .flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tls(check: Check, ours: Ours) -> Result<Tls, AddressError> {
    let absolute = |name: &'static str, path: String| {
        let path = PathBuf::from(path);
        if path.is_absolute() { Ok(path) } else { Err(AddressError::Relative(name)) }
    };
    let roots = match ours.roots.as_deref() {
        None | Some("system") => None,
        Some(_) if check == Check::Nothing => return Err(AddressError::UnusedRoots),
        Some(path) => Some(absolute("sslrootcert", path.to_owned())?),
    };
    let identity = match (ours.cert, ours.key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((absolute("sslcert", cert)?, absolute("sslkey", key)?)),
        (Some(_), None) | (None, Some(_)) => return Err(AddressError::HalfIdentity),
    };
    Ok(Tls { check, roots, identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &str) -> Result<Address, AddressError> {
        Address::parse(&format!("postgres://me:a%3Fb?c@db.example.com/retcon{parameters}"))
    }

    #[track_caller]
    fn tls(parameters: &str) -> (SslMode, Tls) {
        let address = parse(parameters).expect("it is a URL");
        assert_eq!(address.config.get_password(), Some(b"a?b?c".as_slice()));
        assert_eq!(address.config.get_dbname(), Some("retcon"));
        (address.config.get_ssl_mode(), address.tls)
    }

    #[test]
    fn each_mode_checks_what_the_manual_says() {
        let plain = |check| Tls { check, roots: None, identity: None };
        assert_eq!(tls(""), (SslMode::Prefer, plain(Check::Nothing)));
        assert_eq!(tls("?sslmode=disable"), (SslMode::Disable, plain(Check::Nothing)));
        assert_eq!(tls("?sslmode=prefer"), (SslMode::Prefer, plain(Check::Nothing)));
        assert_eq!(tls("?sslmode=require"), (SslMode::Require, plain(Check::AuthorityAndName)));
        assert_eq!(tls("?sslmode=verify-full"), (SslMode::Require, plain(Check::AuthorityAndName)));
        assert_eq!(tls("?sslmode=verify-ca&sslrootcert=system"), (SslMode::Require, plain(Check::Authority)));
    }

    #[test]
    fn files_are_named_and_other_parameters_kept() {
        let text = "?connect_timeout=7&sslmode=verify-full&sslrootcert=/etc/a%20b/ca.pem&sslcert=/c.pem&sslkey=/k.pem";
        let address = parse(text).expect("it is a URL");
        let files: Vec<_> = address.files().map(|(name, file)| format!("{name}={}", file.display())).collect();
        assert_eq!(files, ["sslrootcert=/etc/a b/ca.pem", "sslcert=/c.pem", "sslkey=/k.pem"]);
        assert_eq!(address.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(7)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let why = |parameters: &str| parse(parameters).expect_err("it is refused").to_string();
        assert!(why("?sslmode=allow").contains("verify-full"));
        assert!(why("?sslmode=require&sslrootcert=ca.pem").contains("sslrootcert"));
        assert!(why("?sslmode=prefer&sslrootcert=/ca.pem").contains("checks nothing"));
        assert!(why("?sslrootcert=/ca.pem").contains("checks nothing"));
        assert!(why("?sslmode=require&sslcert=/c.pem").contains("sslkey"));
        assert!(matches!(parse("?sslcrl=/x"), Err(AddressError::Url(_))));
        assert!(matches!(Address::parse("postgres:///retcon"), Err(AddressError::NoHost)));
    }

    #[test]
    fn a_place_tells_no_secret_and_does_not_depend_on_one() {
        let place = |url: &str| Address::parse(url).expect("it is a URL").place();
        let with_password = place("postgres://me:secret@a:5433,b:5434/retcon?sslmode=require");
        assert_eq!(with_password, "a,b:5433,5434/retcon");
        assert_eq!(with_password, place("postgres://you:other@a:5433,b:5434/retcon"));
    }
}
