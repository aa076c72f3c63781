//! A client of the HTTP API over TCP, which sends whatever head a test wants.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use super::daemon::Daemon;
use super::program::program;
use super::site::Site;
use super::socket::{Answer, parse};
use super::wait::DEADLINE;

/// A command that starts `retcond` so that it listens at an address.
pub(crate) fn listening_at(address: &str) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_retcond"));
    command.env("RETCON__SERVER__LISTEN", address);
    command
}

/// Starts a daemon that listens at a port of loopback that is free, and gives its address.
#[track_caller]
pub(crate) fn start(site: &Site) -> (Daemon<'_>, SocketAddr) {
    let mut daemon = Daemon::spawn_by(site, listening_at("127.0.0.1:0"));
    daemon.wait_until_ready();
    let address = address(&daemon);
    (daemon, address)
}

/// The address at which a daemon listens, once it does.
#[track_caller]
pub(crate) fn address(daemon: &Daemon<'_>) -> SocketAddr {
    let event = daemon.wait_for_event(|event| event["msg"] == "listening");
    event["address"].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address: {event}"))
}

/// Makes a token, and gives its text.
#[track_caller]
pub(crate) fn token(site: &Site, name: &str, role: &str, limits: &[&str]) -> String {
    let run = site.retcon(&[&["token", "create", name, "--role", role], limits].concat()).exits(0);
    run.stdout().trim_end().to_owned()
}

/// A request over TCP, to be sent on a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    line: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    media: &'static str,
}

impl Call {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let line = format!("{method} {target} HTTP/1.1");
        Self { line, host: Some("localhost".to_owned()), headers: Vec::new(), body: None, media: "application/json" }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// By HTTP/1.0.
    pub(crate) fn by_first_version(target: &str) -> Self {
        Self { line: format!("GET {target} HTTP/1.0"), ..Self::get(target) }
    }

    /// Shows a token.
    pub(crate) fn bearing(self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Names another host, or none.
    pub(crate) fn host(mut self, host: Option<&str>) -> Self {
        self.host = host.map(str::to_owned);
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// Sends what a form of a page does.
    pub(crate) fn form(mut self, fields: &str) -> Self {
        self.media = "application/x-www-form-urlencoded";
        self.body(fields)
    }

    pub(crate) fn try_send(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut head = format!("{}\r\n", self.line);
        let host = self.host.as_ref().map(|host| ("Host".to_owned(), host.clone()));
        for (name, value) in host.iter().chain(&self.headers) {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("Content-Type: {}\r\nContent-Length: {}\r\n", self.media, body.len());
        }
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
        let sent = stream.write_all(self.body.as_deref().unwrap_or_default().as_bytes());
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if answer.is_empty() {
            sent?;
        }
        parse(format!("{}: {:?}", self.line, self.headers), &answer)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, String::from_utf8_lossy(&answer)))
    }

    #[track_caller]
    pub(crate) fn send(&self, address: SocketAddr) -> Answer {
        self.try_send(address).unwrap_or_else(|error| panic!("no answer to {self:?}: {error}"))
    }
}

/// The directory in which the kernel tells of a process.
pub(crate) fn proc_of(daemon: &Daemon<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/{}", daemon.pid()))
}
