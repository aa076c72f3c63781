//! Passes on what daemons and PostgreSQL say to each other, and tells who waits for whom.
//!
//! All that a session's server has answered is held back until every thread of the daemons sleeps and nothing that they have said is
//! unread: until they can say no more without it. So what is said without an answer is one round trip, however long the machine takes.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::Pid;

use super::super::daemon::processes;
use super::super::wire::message;
use super::sleep::while_asleep;
use super::{Statements, Trip};

/// What a guardian's command line begins with.
const GUARDIAN: &str = "retcon-guardian";

/// All that is between a site's daemons and its database.
pub(super) struct Exchange {
    listener: UnixListener,
    /// Where the server listens.
    server: PathBuf,
    /// Where the daemons' programs run.
    site: PathBuf,
    statements: Statements,
    sessions: Vec<Session>,
    /// How many sessions there have been.
    count: usize,
    /// What was said and answered.
    pub(super) trips: Vec<Trip>,
}

/// One client and what it has of the server.
struct Session {
    number: usize,
    client: UnixStream,
    server: UnixStream,
    process: Pid,
    /// How many of the messages are not answered yet that an answer comes to.
    unanswered: usize,
    /// Answers that the client does not have yet.
    held: Vec<u8>,
    said: Said,
}

/// What a client has said.
#[derive(Default)]
struct Said {
    /// The statements that it has prepared, by the names that it gave them.
    prepared: HashMap<String, String>,
    /// The one that is run next.
    bound: String,
    transaction: Option<usize>,
    transactions: usize,
    /// What it has run since it last had an answer, and which transaction that belongs to.
    trip: Option<Trip>,
}

/// Who has something to say.
struct Ready {
    is_somebody_new: bool,
    /// Of each session, whether its client has, and whether its server has.
    sessions: Vec<[bool; 2]>,
}

impl Ready {
    fn is_nobody(&self) -> bool {
        !self.is_somebody_new && self.sessions.iter().all(|ready| *ready == [false; 2])
    }
}

impl Exchange {
    pub(super) fn new(listener: UnixListener, server: PathBuf, site: PathBuf, statements: Statements) -> Self {
        Self { listener, server, site, statements, sessions: Vec::new(), count: 0, trips: Vec::new() }
    }

    /// Passes on what has been said, if anything has; gives whether anything was.
    pub(super) fn turn(&mut self) -> bool {
        let ready = self.ready();
        if !ready.is_nobody() {
            self.listen(&ready);
            return true;
        }
        let holds = self.sessions.iter().any(Session::is_answered);
        let lets_go = holds && self.while_asleep(|| self.ready().is_nobody());
        if lets_go {
            let given = self.sessions.iter_mut().filter(|session| session.is_answered());
            self.trips.extend(given.filter_map(Session::answer));
        }
        lets_go
    }

    /// Tells whether nobody does anything: the daemons sleep, have all their answers, and run no program.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_at_rest = || {
            let is_served = |session: &Session| session.unanswered == 0 && session.held.is_empty();
            self.ready().is_nobody() && self.sessions.iter().all(is_served) && !self.runs_programs()
        };
        self.while_asleep(is_at_rest)
    }

    fn runs_programs(&self) -> bool {
        let daemons = self.daemons();
        let mut others = processes(&self.site).into_iter().filter(|process| !daemons.contains(&process.pid));
        others.any(|process| !process.command.starts_with(GUARDIAN))
    }

    fn while_asleep(&self, look: impl FnOnce() -> bool) -> bool {
        while_asleep(&self.daemons(), look)
    }

    fn daemons(&self) -> HashSet<Pid> {
        self.sessions.iter().map(|session| session.process).collect()
    }

    fn ready(&self) -> Ready {
        let streams = self.sessions.iter().flat_map(|session| [&session.client, &session.server]);
        let streams = streams.map(|stream| PollFd::new(stream, PollFlags::IN));
        let mut all: Vec<_> = std::iter::once(PollFd::new(&self.listener, PollFlags::IN)).chain(streams).collect();
        poll(&mut all, Some(&Timespec::default())).expect("there is memory for it");
        let mut ready = all.iter().map(|one| !one.revents().is_empty());
        let is_somebody_new = ready.next().expect("the listener is the first");
        let ready: Vec<_> = ready.collect();
        Ready { is_somebody_new, sessions: ready.chunks(2).map(|both| [both[0], both[1]]).collect() }
    }

    /// Hears all who have something to say; who hangs up is gone.
    fn listen(&mut self, ready: &Ready) {
        let mut ready_of = ready.sessions.iter();
        let statements = &self.statements;
        self.sessions.retain_mut(|session| {
            let [client, server] = ready_of.next().expect("they are as many");
            let is_there = !client || session.hear_client(statements).is_ok();
            is_there && (!server || session.hear_server().is_ok())
        });
        if ready.is_somebody_new {
            let (client, _) = self.listener.accept().expect("descriptors are left");
            // Without a server the client is hung up on.
            if let Ok(server) = UnixStream::connect(&self.server)
                && let Ok(session) = Session::open(self.count, client, server)
            {
                self.sessions.push(session);
                self.count += 1;
            }
        }
    }
}

impl Session {
    /// Passes the first message on, which alone has no kind.
    fn open(number: usize, mut client: UnixStream, mut server: UnixStream) -> io::Result<Self> {
        let process = socket_peercred(&client)?.pid;
        server.write_all(&message(&mut client, 0)?)?;
        Ok(Self { number, client, server, process, unanswered: 1, held: Vec::new(), said: Said::default() })
    }

    /// Takes down and passes on a message of the client.
    fn hear_client(&mut self, statements: &Statements) -> io::Result<()> {
        let said = message(&mut self.client, 1)?;
        self.unanswered += usize::from(b"SQF".contains(&said[0]));
        self.said.hear(self.number, &said, statements);
        self.server.write_all(&said)
    }

    /// Takes a message of the server.
    fn hear_server(&mut self) -> io::Result<()> {
        let said = message(&mut self.server, 1)?;
        self.unanswered -= usize::from(said[0] == b'Z');
        self.held.extend(said);
        Ok(())
    }

    /// Tells whether there is something to be given to the client, and the server will say no more.
    fn is_answered(&self) -> bool {
        self.unanswered == 0 && !self.held.is_empty()
    }

    /// Gives the client its answers: what it had said was one round trip.
    fn answer(&mut self) -> Option<Trip> {
        // It may have ended meanwhile.
        let _ = self.client.write_all(&std::mem::take(&mut self.held));
        self.said.trip.take().map(|trip| Trip { last: Instant::now(), ..trip })
    }
}

impl Said {
    /// Takes a message of the client down.
    fn hear(&mut self, session: usize, message: &[u8], statements: &Statements) {
        let mut texts = message[5..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut text = || texts.next().unwrap_or_default();
        match message[0] {
            b'P' => {
                let name = text();
                self.prepared.insert(name, text());
            }
            b'B' => {
                text();
                self.bound = self.prepared.get(&text()).cloned().unwrap_or_default();
            }
            b'E' => {
                let statement = self.bound.clone();
                self.enter(session, &statement, statements);
            }
            b'Q' => {
                let statement = text();
                self.enter(session, &statement, statements);
            }
            _ => {}
        }
    }

    /// Enters a statement that is run.
    fn enter(&mut self, session: usize, text: &str, statements: &Statements) {
        let first = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        let (name, writes) = statements.get(text).cloned().unwrap_or_else(|| (text.replace('/', "."), false));
        if ["BEGIN", "START"].contains(&first.as_str()) {
            self.transactions += 1;
            self.transaction = Some(self.transactions);
        }
        let transaction = self.transaction;
        let (statements, last) = (Vec::new(), Instant::now());
        let trip = self.trip.get_or_insert(Trip { session, transaction, statements, commits: 0, last });
        trip.transaction = trip.transaction.or(transaction);
        trip.statements.push(name);
        trip.commits += usize::from(first == "COMMIT" || transaction.is_none() && writes);
        if ["COMMIT", "ROLLBACK", "END"].contains(&first.as_str()) {
            self.transaction = None;
        }
    }
}
