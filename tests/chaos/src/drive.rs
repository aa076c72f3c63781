//! One run from its beginning to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::books::{BookError, DatabaseFacts, Deadlines, Facts, Phases, RunDir};
use crate::clock;
use crate::crowd::{Crowd, people, systems, users};
use crate::nemesis::{self, NemesisError};
use crate::report;
use crate::scenario::{self, PULSE};
use crate::sim::system::{Deed, System};
use crate::stage::Stage;
use crate::stage::daemon::{self, Daemon};
use crate::stage::postgres::PostgresError;

/// How many users edit.
const USERS: u32 = 4;
/// How long a run goes on at most past its time, where the machine was too slow for each class of fault to fire.
const OVERTIME: Duration = Duration::from_secs(240);
/// How long a daemon may take to begin.
const TO_BEGIN: Duration = Duration::from_secs(60);
/// From the healing to rest, and for how long it must be quiet then.
const DEADLINES: Deadlines = Deadlines { rest: 240_000_000, quiet: 5_000_000 };

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Order {
    pub seed: u64,
    pub seconds: u64,
    pub plant: Option<String>,
    pub classes: Vec<String>,
    pub daemons: u32,
    pub retcond: PathBuf,
    pub sim: PathBuf,
}

/// Why a run shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error("cannot keep the books")]
    Books(#[from] BookError),
    #[error("cannot set up PostgreSQL")]
    Postgres(#[from] PostgresError),
    #[error("cannot break things")]
    Nemesis(#[from] NemesisError),
    #[error("cannot use a simulated system")]
    System(#[from] rusqlite::Error),
    #[error("cannot use a daemon")]
    Daemon(#[from] std::io::Error),
    #[error("cannot begin: daemon {0} is not ready; see its log in the run's directory")]
    NotReady(u32),
    #[error("cannot go on: {0} panicked")]
    Panicked(&'static str),
}

/// What a run leaves besides its books.
#[derive(Debug)]
pub struct Aftermath {
    /// What daemons did that they should not, besides what the books tell.
    pub disorders: Vec<String>,
    pub edits: u64,
    /// The last status that a daemon gave.
    pub status: Value,
    /// Its daemons are gone, and its database still answers the checker.
    pub stage: Stage,
}

/// Makes a run in a new directory.
///
/// # Errors
/// [`DriveError`]: the run shows nothing.
pub fn drive(run: &RunDir, order: &Order) -> Result<Aftermath, DriveError> {
    run.create()?;
    let mut facts = facts(order);
    let mut stage = Stage::set(run, &mut facts, (order.retcond.clone(), order.sim.clone()))?;
    run.write_facts(&facts)?;
    found(run, &facts, &mut stage)?;
    let crowd = Arc::new(Crowd::new(run.clone(), facts.clone()));
    let busy = gather(&crowd);
    let deadline = Instant::now() + Duration::from_secs(order.seconds);
    let breaker = unleash(stage, &crowd);
    await_end(run, &crowd, deadline, &breaker);
    facts.phases.calm = Some(clock::now());
    crowd.calm();
    let (stage, raged) = breaker.join().map_err(|_| DriveError::Panicked("the nemesis"))?;
    let mut stage = stage;
    raged?;
    heal(&mut stage, &crowd)?;
    facts.phases.healed = Some(clock::now());
    facts.database.url = stage.url();
    run.write_facts(&facts)?;
    facts.unrest = settle(&crowd, &mut facts.phases)?;
    crowd.dismiss();
    for member in busy {
        member.join().map_err(|_| DriveError::Panicked("one of the crowd"))??;
    }
    if facts.unrest.is_none() {
        facts.unrest = await_quiet(&crowd, &mut facts.phases);
    }
    run.write_facts(&facts)?;
    let status = status(&crowd).unwrap_or_default();
    finish(&mut stage, run);
    let disorders = std::mem::take(&mut stage.disorders);
    Ok(Aftermath { disorders, edits: crowd.edits(), status, stage })
}

fn facts(order: &Order) -> Facts {
    Facts {
        seed: order.seed,
        seconds: order.seconds,
        entities: scenario::entities(),
        database: DatabaseFacts { url: String::new(), daemon_url: String::new() },
        plant: order.plant.clone(),
        classes: order.classes.clone(),
        daemons: order.daemons,
        // What a planted mistake keeps from resting would never rest.
        deadlines: Deadlines {
            rest: if order.plant.is_some() { DEADLINES.rest / 4 } else { DEADLINES.rest },
            ..DEADLINES
        },
        phases: Phases { began: clock::now(), ..Phases::default() },
        unrest: None,
    }
}

/// Makes the systems and the pulse's item, and starts the daemons.
fn found(run: &RunDir, facts: &Facts, stage: &mut Stage) -> Result<(), DriveError> {
    for entity in &facts.entities {
        for source in &entity.sources {
            System::open(&run.source_path(&entity.name, &source.name))?;
        }
    }
    let mut north = System::open(&run.source_path(PULSE, "north"))?;
    let work = north.begin()?;
    stage.pulse = format!("north-{}", work.count("keys")?);
    let item = json!({"id": "pulse", "a": "v:pulse:1"}).to_string();
    work.create(&stage.pulse, &item, &Deed::of_user(None))?;
    work.commit()?;
    stage.write_configurations()?;
    for daemon in &mut stage.daemons {
        daemon.start(None)?;
        if !daemon.wait_until_ready(TO_BEGIN) {
            return Err(DriveError::NotReady(daemon.number()));
        }
    }
    Ok(())
}

type Busy = JoinHandle<rusqlite::Result<()>>;

/// Starts everybody who is not retcon.
fn gather(crowd: &Arc<Crowd>) -> Vec<Busy> {
    let start = |work: fn(&Crowd) -> rusqlite::Result<()>| {
        let crowd = Arc::clone(crowd);
        thread::spawn(move || work(&crowd))
    };
    let mut busy = vec![start(people::work), start(systems::work)];
    busy.push(start(|crowd| {
        crowd.watch();
        Ok(())
    }));
    busy.push(start(|crowd| {
        nemesis::sources::rage(crowd);
        Ok(())
    }));
    busy.extend((1..=USERS).map(|number| {
        let crowd = Arc::clone(crowd);
        thread::spawn(move || users::work(&crowd, number))
    }));
    busy
}

type Raged = (Stage, Result<(), NemesisError>);

/// Lets the nemesis loose on the stage; who joins it gets the stage back.
fn unleash(mut stage: Stage, crowd: &Arc<Crowd>) -> JoinHandle<Raged> {
    let crowd = Arc::clone(crowd);
    thread::spawn(move || {
        let pulse = stage.pulse.clone();
        nemesis::await_recovery(&crowd, "start", &pulse);
        let raged = nemesis::rage(&mut stage, &crowd, &pulse);
        (stage, raged)
    })
}

/// Waits until the run's time is over, and each class of fault on its list has fired.
fn await_end(run: &RunDir, crowd: &Crowd, deadline: Instant, breaker: &JoinHandle<Raged>) {
    // What a planted mistake keeps from happening would never happen.
    let latest = deadline + if crowd.facts.plant.is_some() { OVERTIME / 4 } else { OVERTIME };
    // Books that cannot be read now cannot be read afterwards, by those who say so.
    let is_tried = || crowd.is_tried() && report::list_missed(run, &crowd.facts).is_ok_and(|missed| missed.is_empty());
    let is_over = |now| now > latest || now > deadline && is_tried();
    while !is_over(Instant::now()) && !breaker.is_finished() {
        thread::sleep(Duration::from_millis(200));
    }
}

/// Puts everything right that the nemesis may have left.
fn heal(stage: &mut Stage, crowd: &Crowd) -> Result<(), DriveError> {
    nemesis::sources::heal(crowd);
    stage.wire().disarm();
    stage.write_configurations()?;
    for daemon in &mut stage.daemons {
        daemon.signal(Signal::CONT);
        if !daemon.is_able() {
            daemon.start(None)?;
        }
    }
    Ok(())
}

fn status(crowd: &Crowd) -> Option<Value> {
    (1..=crowd.facts.daemons).find_map(|number| daemon::get(&crowd.run, number, "/v1/status"))
}

/// Says what is not at rest, in words; nothing if all is.
fn unrest(status: Option<&Value>, crowd: &Crowd) -> Option<String> {
    let Some(status) = status else { return Some("no daemon answers".to_owned()) };
    if crowd.unheard() > 0 {
        return Some(format!("{} notifications are not acknowledged", crowd.unheard()));
    }
    if crowd.users() > 0 {
        return Some(format!("{} users have not gone home", crowd.users()));
    }
    let entities = status["entities"].as_array().cloned().unwrap_or_default();
    let busy = entities.iter().filter(|entity| {
        let queue = ["ready", "running", "waiting", "parked"].iter().any(|state| entity["queue"][state] != 0);
        queue || entity["in_doubt"] != 0
    });
    let words: Vec<String> = busy
        .map(|entity| format!("{}: {}, in doubt {}", entity["name"], entity["queue"], entity["in_doubt"]))
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Waits until all is at rest; says what is not, if that takes too long.
fn settle(crowd: &Crowd, phases: &mut Phases) -> Result<Option<String>, DriveError> {
    let deadline = Instant::now() + Duration::from_micros(crowd.facts.deadlines.rest.unsigned_abs());
    let mut calm = 0;
    loop {
        let unrest = match systems::is_untidy(crowd)? {
            true => Some("a system has something to tidy".to_owned()),
            false => unrest(status(crowd).as_ref(), crowd),
        };
        match unrest {
            None => calm += 1,
            Some(words) if Instant::now() > deadline => return Ok(Some(words)),
            Some(_) => calm = 0,
        }
        // Once more: a system may have been about to tidy.
        if calm == 3 {
            phases.rest = Some(clock::now());
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// Leaves everything alone for a while: it must stay at rest.
fn await_quiet(crowd: &Crowd, phases: &mut Phases) -> Option<String> {
    thread::sleep(Duration::from_micros(crowd.facts.deadlines.quiet.unsigned_abs()));
    phases.ended = Some(clock::now());
    let unrest = unrest(status(crowd).as_ref(), crowd);
    unrest.map(|words| format!("it did not stay at rest: {words}"))
}

/// Stops the daemons in order, and sees what they leave behind.
fn finish(stage: &mut Stage, run: &RunDir) {
    stage.daemons.iter_mut().for_each(|daemon| daemon.signal(Signal::TERM));
    for daemon in &mut stage.daemons {
        let status = daemon.wait(TO_BEGIN);
        if status != Some(0) {
            stage.disorders.push(format!("daemon {} ended with {status:?} after SIGTERM at rest", daemon.number()));
        }
    }
    stage.daemons.iter_mut().for_each(Daemon::kill);
    let is_ours = |command: &str| !command.contains("postgres");
    // A guardian may take a moment to see that its daemon is gone.
    let deadline = Instant::now() + Duration::from_secs(10);
    let left = loop {
        let mut left = daemon::list_processes(run);
        left.retain(|(_, command)| is_ours(command));
        if left.is_empty() || Instant::now() > deadline {
            break left;
        }
        thread::sleep(Duration::from_millis(100));
    };
    stage.disorders.extend(left.iter().map(|(pid, command)| format!("process {pid} was left behind: {command}")));
}

/// The facts of a run with these classes of fault.
#[cfg(test)]
pub(crate) fn test_facts(classes: &[&str]) -> Facts {
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    let path = PathBuf::from("retcond");
    facts(&Order { seed: 1, seconds: 1, plant: None, classes, daemons: 1, retcond: path.clone(), sim: path })
}
