//! Under which names the daemon may be asked, and from which pages.
//!
//! A browser sends what any page in it says. So a request under a name that is not ours is refused, since the page may have
//! had its own name lead here, and so is a request of a page that is not ours.

use std::net::{IpAddr, SocketAddr};

use crate::config::model::Server;

/// The names of the daemon, over TCP.
#[derive(Debug, Clone)]
pub(super) struct Names {
    listen: SocketAddr,
    hosts: Vec<String>,
}

/// A host, and a port if one is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Authority<'a> {
    /// An address of IPv6 without its brackets.
    host: &'a str,
    port: Option<u16>,
}

impl Names {
    /// The names by which a daemon with these settings may be asked; `None` if it does not listen.
    pub(super) fn of(server: &Server) -> Option<Self> {
        Some(Self { listen: server.listen?, hosts: server.hosts.clone() })
    }

    /// Tells whether `host`, as a request names it, is ours; `local` is our end of the connection.
    pub(super) fn is_ours(&self, host: &str, local: SocketAddr) -> bool {
        let Some(named) = Authority::parse(host) else { return false };
        if named.host.eq_ignore_ascii_case("localhost") || self.is_listed(named, None) {
            return true;
        }
        let Ok(address) = named.host.parse::<IpAddr>() else { return false };
        let listen = if self.listen.ip().is_unspecified() { local.ip() } else { self.listen.ip() };
        address.to_canonical().is_loopback() || address.to_canonical() == listen.to_canonical()
    }

    /// Tells whether a page of `origin` is ours: it has the host and the port under which we are asked, or one of the
    /// configured names.
    pub(super) fn is_own_page(&self, origin: &str, host: &str) -> bool {
        let usual = |scheme| if scheme == "https" { 443 } else { 80 };
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        if !matches!(scheme, "http" | "https") {
            return false;
        }
        let (Some(page), Some(asked)) = (Authority::parse(rest), Authority::parse(host)) else { return false };
        let port = page.port.unwrap_or(usual(scheme));
        let is_same = page.host.eq_ignore_ascii_case(asked.host) && port == asked.port.unwrap_or(usual(scheme));
        is_same || self.is_listed(page, Some(usual(scheme)))
    }

    /// Tells whether `hosts` has the name. Where a page is meant, its port counts: the usual one, or that of `listen`, or the
    /// one that is listed.
    fn is_listed(&self, named: Authority<'_>, usual: Option<u16>) -> bool {
        self.hosts.iter().filter_map(|host| Authority::parse(host)).any(|listed| {
            let is_port = match (listed.port, usual) {
                (Some(port), usual) => named.port.or(usual) == Some(port),
                (None, None) => true,
                (None, Some(usual)) => [usual, self.listen.port()].contains(&named.port.unwrap_or(usual)),
            };
            listed.host.eq_ignore_ascii_case(named.host) && is_port
        })
    }
}

impl<'a> Authority<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>().map(|_| text).or_else(|_| unbracketed(text).ok_or(())) {
            return Some(Self { host: address, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?)),
        };
        let host = unbracketed(host).or(Some(host).filter(|host| is_name(host)))?;
        Some(Self { host, port })
    }
}

/// Takes an address of IPv6 out of its brackets.
fn unbracketed(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<std::net::Ipv6Addr>().is_ok().then_some(inner)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listen: &str, hosts: &[&str]) -> Names {
        Names { listen: listen.parse().expect("an address"), hosts: hosts.iter().map(ToString::to_string).collect() }
    }

    #[track_caller]
    fn check_hosts(listen: &str, hosts: &[&str], ours: &[&str], foreign: &[&str]) {
        let (names, local) = (names(listen, hosts), "192.0.2.7:8470".parse().expect("an address"));
        for host in ours {
            assert!(names.is_ours(host, local), "{host} is ours at {listen}");
        }
        for host in foreign {
            assert!(!names.is_ours(host, local), "{host} is not ours at {listen}");
        }
    }

    #[test]
    fn loopback_names_the_listening_address_and_the_configured_names_are_ours() {
        let loopback =
            ["localhost", "LocalHost:1", "127.0.0.1", "127.0.0.1:8470", "127.9.9.9:80", "[::1]", "[::1]:8470"];
        let never = [
            "",
            ":",
            ":8470",
            "example.com",
            "localhost.example.com",
            "example.com:8470",
            "localhost@example.com",
            "localhost/",
            "localhost:port",
            "localhost:+80",
            "localhost:80:80",
            "[localhost]",
            "192.0.2.8",
            "0x7f.1",
        ];
        for listen in ["127.0.0.1:8470", "0.0.0.0:8470", "[::]:8470", "192.0.2.7:8470"] {
            check_hosts(listen, &[], &loopback, &never);
        }
        check_hosts("127.0.0.1:8470", &[], &[], &["192.0.2.7:8470", "0.0.0.0:8470"]);
        check_hosts("192.0.2.7:8470", &[], &["192.0.2.7:8470", "192.0.2.7"], &["192.0.2.9"]);
        check_hosts("0.0.0.0:8470", &[], &["192.0.2.7:8470", "[::ffff:192.0.2.7]"], &["192.0.2.9:8470"]);
        let hosts = ["retcon.example.com", "other.example.com:8443"];
        let ours = ["retcon.example.com", "RETCON.example.com:9000", "other.example.com:8443"];
        check_hosts("127.0.0.1:8470", &hosts, &ours, &["example.com", "a.retcon.example.com", "other.example.com"]);
    }

    #[track_caller]
    fn check_pages(host: &str, own: &[&str], foreign: &[&str]) {
        let names = names("127.0.0.1:8470", &["retcon.example.com"]);
        for origin in own {
            assert!(names.is_own_page(origin, host), "{origin} is ours at {host}");
        }
        for origin in foreign {
            assert!(!names.is_own_page(origin, host), "{origin} is not ours at {host}");
        }
    }

    #[test]
    fn a_page_is_ours_by_its_host_and_its_port() {
        let listed = ["https://retcon.example.com", "http://retcon.example.com:8470", "https://retcon.example.com:443"];
        let never = [
            "",
            "null",
            "localhost:8470",
            "file://",
            "ftp://localhost:8470",
            "http://localhost:8470/",
            "http://localhost:8470.example.com",
            "http://example.com",
            "https://evil.example.com",
            "http://localhost:3000",
            "http://localhost",
            "https://retcon.example.com:3000",
            "http://u@localhost:8470",
        ];
        check_pages("localhost:8470", &["http://localhost:8470", "https://LOCALHOST:8470"], &never);
        check_pages("127.0.0.1:8470", &["http://127.0.0.1:8470"], &["http://localhost:8470"]);
        check_pages("localhost", &["http://localhost", "https://localhost:443"], &["http://localhost:8470"]);
        check_pages("[::1]:8470", &["http://[::1]:8470"], &["http://[::1]"]);
        check_pages("localhost:8470", &listed, &[]);
    }
}
