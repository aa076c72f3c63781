//! What a run is played on: a PostgreSQL that can be broken, the wire to it, and daemons.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::books::{DatabaseFacts, Facts, RunDir, RunEvent};
use crate::chance::Chance;

pub mod config;
pub mod daemon;
pub mod postgres;
pub mod space;
pub mod wire;

use config::{Generation, Mistake};
use daemon::Daemon;
use postgres::{NAME, PostgresError, Server, Stop};
use space::Space;
use wire::Wire;

/// How long a standby may take to catch up on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the wire to it.
#[derive(Debug)]
struct Post {
    name: &'static str,
    server: Server,
    wire: Wire,
    /// Where its tables are, if that is a place of its own.
    space: Option<Space>,
}

/// Everything that is run.
#[derive(Debug)]
pub struct Stage {
    run: RunDir,
    facts: Facts,
    /// The simulated systems' program.
    sim: PathBuf,
    posts: Vec<Post>,
    primary: usize,
    generation: Generation,
    pub daemons: Vec<Daemon>,
    /// The points at which a daemon can be killed.
    pub points: Vec<String>,
    /// The key of the pulse's item.
    pub pulse: String,
    /// What daemons did that they should not, besides what the books tell.
    pub disorders: Vec<String>,
}

impl Stage {
    /// Lays out servers and daemons, and starts the servers.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn set(run: &RunDir, facts: &mut Facts, programs: (PathBuf, PathBuf)) -> Result<Self, PostgresError> {
        let (retcond, sim) = programs;
        let has_standby = facts.classes.iter().any(|class| class == "failover");
        let has_space = facts.classes.iter().any(|class| class == "disk-full");
        let names: &[&str] = if has_standby { &["a", "b"] } else { &["a"] };
        let mut posts = Vec::new();
        for (port, name) in (5432..).zip(["a", "b"]).take(names.len()) {
            posts.push(Post::new(run, name, port, has_space)?);
        }
        posts[0].found()?;
        let points = list_points(&retcond);
        let daemons = (1..=facts.daemons).map(|n| Daemon::new(run, n, retcond.clone(), facts.plant.clone())).collect();
        let hosts: Vec<String> = posts.iter().map(|post| format!("127.0.0.1:{}", post.wire.port())).collect();
        facts.database = DatabaseFacts {
            url: posts[0].server.url(),
            daemon_url: format!("postgres://{NAME}@{}/{NAME}?sslmode=disable", hosts.join(",")),
        };
        let mut stage = Self {
            run: run.clone(),
            facts: facts.clone(),
            sim,
            posts,
            primary: 0,
            generation: Generation::FIRST,
            daemons,
            points,
            pulse: String::new(),
            disorders: Vec::new(),
        };
        if has_standby {
            stage.rebuild_standby()?;
        }
        Ok(stage)
    }

    /// Gives the server that takes writes.
    pub fn primary(&mut self) -> &mut Server {
        &mut self.posts[self.primary].server
    }

    pub fn primary_name(&self) -> String {
        format!("server {}", self.posts[self.primary].name)
    }

    /// Gives the wire to the server that takes writes.
    pub fn wire(&self) -> &Wire {
        &self.posts[self.primary].wire
    }

    /// Gives where the tables are of the server that takes writes.
    pub fn space(&self) -> Option<&Space> {
        self.posts[self.primary].space.as_ref()
    }

    /// Tells how often a server had no room.
    pub fn refusals(&self) -> usize {
        let logs = self.posts.iter().map(|post| fs::read(post.server.log()).unwrap_or_default());
        logs.map(|log| String::from_utf8_lossy(&log).matches("No space left on device").count()).sum()
    }

    /// Has the standby take writes.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn promote(&mut self) -> Result<(), PostgresError> {
        self.primary = 1 - self.primary;
        let server = self.primary();
        // Nobody is there to wait for.
        server.execute(&["select pg_promote(true, 60)"])?;
        server.execute(&["alter system set synchronous_standby_names = ''", "select pg_reload_conf()"])
    }

    /// Starts the server that was primary before, which knows nothing of what has happened.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn return_old_primary(&mut self) -> Result<(), PostgresError> {
        let old = &mut self.posts[1 - self.primary].server;
        old.start()?;
        // It would wait for its standby for ever; this one answers whoever asks.
        old.execute(&["alter system set synchronous_standby_names = ''", "select pg_reload_conf()"])
    }

    /// Makes the other server the standby of the one that takes writes, which waits for it from then on.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn rebuild_standby(&mut self) -> Result<(), PostgresError> {
        let (first, second) = self.posts.split_at_mut(1);
        let (primary, standby) =
            if self.primary == 0 { (&mut first[0], &mut second[0]) } else { (&mut second[0], &mut first[0]) };
        standby.server.stop(Stop::Immediate)?;
        let spaces = standby.space.as_ref().zip(primary.space.as_ref());
        if let Some((mine, _)) = spaces {
            mine.clear().map_err(|source| PostgresError::File { path: mine.path().into(), source })?;
        }
        standby.server.copy(&primary.server, spaces.map(|(mine, its)| (its.path(), mine.path())))?;
        standby.server.start()?;
        let name = "select application_name from pg_stat_replication where state = 'streaming'";
        let deadline = Instant::now() + PATIENCE;
        while primary.server.connect("postgres")?.query_opt(name, &[])?.is_none() {
            if Instant::now() > deadline {
                return Err(PostgresError::Wait("the standby to follow"));
            }
            thread::sleep(Duration::from_millis(100));
        }
        primary.server.execute(&["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"])
    }

    /// Gives every daemon another configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn advance(&mut self, chance: &mut Chance) -> io::Result<Generation> {
        self.generation = Generation { number: self.generation.number + 1, in_flight: chance.within(2..12) };
        self.write_configurations()?;
        Ok(self.generation)
    }

    /// Writes the configuration that is to be in force.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_configurations(&self) -> io::Result<()> {
        (1..=self.facts.daemons).try_for_each(|number| config::write(&self.run, number, &self.text(number)))
    }

    /// Makes a mistake in every daemon's file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn spoil(&self, mistake: Mistake) -> io::Result<()> {
        (1..=self.facts.daemons)
            .try_for_each(|number| config::write(&self.run, number, &config::spoil(&self.text(number), mistake)))
    }

    fn text(&self, number: u32) -> String {
        config::text(&self.run, &self.facts, &self.sim, number, self.generation)
    }

    /// Tells whether a program was run under the configuration of that number.
    pub fn was_run_under(&self, number: &str) -> bool {
        let sources =
            self.facts.entities.iter().flat_map(|entity| entity.sources.iter().map(move |source| (entity, source)));
        sources.into_iter().any(|(entity, source)| {
            let runs = self.run.runs(&entity.name, &source.name).unwrap_or_default();
            runs.iter().rev().any(|line| matches!(&line.event, RunEvent::Start { config, .. } if config[0] == number))
        })
    }

    /// Gives the URL of the server that takes writes, past every wire.
    pub fn url(&self) -> String {
        self.posts[self.primary].server.url()
    }
}

impl Post {
    fn new(run: &RunDir, name: &'static str, port: u16, has_space: bool) -> Result<Self, PostgresError> {
        let server = Server::new(run.path(), name, port)?;
        let failed = |source| PostgresError::File { path: server.socket(), source };
        let wire = Wire::open(server.socket()).map_err(failed)?;
        let space = if has_space { Some(server.make_space()?) } else { None };
        Ok(Self { name, server, wire, space })
    }

    /// Makes the server's data and the database.
    fn found(&mut self) -> Result<(), PostgresError> {
        self.server.initialise()?;
        self.server.start()?;
        match &self.space {
            None => self.server.execute(&[&format!("create database {NAME}")]),
            Some(space) => {
                let place = format!("create tablespace narrow location '{}'", space.path().display());
                self.server.execute(&[&place, &format!("create database {NAME} tablespace narrow")])
            }
        }
    }
}

/// Asks a daemon's program at which points it can be killed; none, if it was built without them.
fn list_points(program: &std::path::Path) -> Vec<String> {
    let output = Command::new(program).arg("--kill-points").output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("point ").map(str::to_owned)).collect()
}

/// Asks a daemon's program which mistakes can be planted into it.
pub fn list_mistakes(program: &std::path::Path) -> Vec<String> {
    let output = Command::new(program).arg("--kill-points").output();
    let text = output.ok().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("mistake ").map(str::to_owned)).collect()
}
