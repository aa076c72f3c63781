//! `make chaos`: breaks a running retcon for a while, and says whether anything was lost or done twice.

use std::error::Error;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use retcon_chaos::books::RunDir;
use retcon_chaos::check::{self, Findings};
use retcon_chaos::drive::{Order, drive};
use retcon_chaos::nemesis::{Class, sources};
use retcon_chaos::planted::{self, Course, MISTAKES, Mistake, Row};
use retcon_chaos::report::{Report, Verdict};
use retcon_chaos::stage::list_mistakes;
use retcon_chaos::stage::space::Space;

/// Breaks a running retcon for a while, and says whether anything was lost or done twice.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// For how long things are broken; what takes long to recover from is on the list of a longer run
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What determines users, faults and their order; by default another one each time
    #[arg(long)]
    seed: Option<u64>,
    /// How many daemons share the database
    #[arg(long)]
    daemons: Option<u32>,
    /// Plants a mistake into the daemons (`retcond-chaos --kill-points` lists them)
    #[arg(long)]
    plant: Option<String>,
    /// Plants nothing, which must be valid, and then each mistake in turn: each must be caught by an invariant that it breaks
    #[arg(long, conflicts_with = "plant")]
    planted: bool,
    /// Breaks these only; by default all that the time allows
    #[arg(long, value_delimiter = ',')]
    classes: Vec<String>,
    /// The daemon's program
    #[arg(long)]
    retcond: Option<PathBuf>,
    /// Keeps the run's directory also where all is well
    #[arg(long)]
    keep: bool,
    /// Decides once more about a run that was kept and whose database runs
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| retcon_chaos::clock::now().unsigned_abs() % 1_000_000);
    let plant = arguments.plant.as_deref();
    let course =
        MISTAKES.iter().find(|mistake| Some(mistake.name) == plant).map_or(Course::Usual, |found| found.course);
    let done = match &arguments.check {
        Some(dir) => report(&RunDir::new(dir), &[], 0).map(|(verdict, _)| conclude(verdict)),
        None if arguments.planted => plant_all(&arguments, seed),
        None => perform(&arguments, (seed, course), plant).map(|(verdict, _)| conclude(verdict)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("  because: {error}");
            cause = error.source();
        }
        println!("verdict: void");
        ExitCode::FAILURE
    })
}

/// Prints the last line.
fn conclude(verdict: Verdict) -> ExitCode {
    println!("verdict: {}", verdict.as_str());
    match verdict {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::Invalid | Verdict::Void => ExitCode::FAILURE,
    }
}

/// Makes a run, and prints its report but for the last line; its directory is kept if that is asked for or the run is not valid.
fn perform(
    arguments: &Arguments,
    (seed, course): (u64, Course),
    plant: Option<&str>,
) -> Result<(Verdict, Findings), Box<dyn Error>> {
    let temporary = tempfile::Builder::new()
        .prefix("retcon-chaos.")
        // PostgreSQL runs as another user where we are root.
        .permissions(Permissions::from_mode(0o711))
        .tempdir()?;
    let run = RunDir::new(temporary.path());
    let order = order(arguments, (seed, course), plant, &run)?;
    eprintln!("seed {}, {} seconds, in {}", order.seed, order.seconds, run.path().display());
    let driven = drive(&run, &order);
    let judged = driven.map_err(Box::<dyn Error>::from).and_then(|aftermath| {
        let judged = report(&run, &aftermath.disorders, aftermath.edits)?;
        if is_kept(arguments, &judged) {
            check::keep(&run)?;
        }
        drop(aftermath.stage);
        Ok(judged)
    });
    if judged.as_ref().map_or(true, |judged| is_kept(arguments, judged)) {
        println!("the run is kept in {}", temporary.keep().display());
    }
    judged
}

/// A run by which nothing is to be found out goes, and those with a planted mistake among many.
fn is_kept(arguments: &Arguments, (verdict, _): &(Verdict, Findings)) -> bool {
    arguments.keep || *verdict != Verdict::Valid && !arguments.planted
}

fn report(run: &RunDir, disorders: &[String], edits: u64) -> Result<(Verdict, Findings), Box<dyn Error>> {
    let findings = check::check(run)?;
    let report = Report::of(run, &findings, disorders, edits)?;
    print!("{}", report.text());
    std::fs::write(run.path().join("report.txt"), report.text())?;
    Ok((report.verdict(), findings))
}

fn order(
    arguments: &Arguments,
    (seed, course): (u64, Course),
    plant: Option<&str>,
    run: &RunDir,
) -> Result<Order, Box<dyn Error>> {
    let sim = neighbour("sim")?;
    let retcond = retcond(arguments)?;
    let is_long = arguments.seconds >= 120 || course == Course::Rivals;
    let daemons = arguments.daemons.unwrap_or(if is_long { 2 } else { 1 });
    let mut classes =
        if arguments.classes.is_empty() { classes(arguments.seconds, daemons, run) } else { arguments.classes.clone() };
    let freeze = Class::Freeze.name().to_owned();
    if course == Course::Rivals && !classes.contains(&freeze) {
        classes.insert(0, freeze);
    }
    let plant = plant.map(str::to_owned);
    Ok(Order { seed, seconds: arguments.seconds, plant, classes, daemons, retcond, sim })
}

/// Gives the daemon's program.
fn retcond(arguments: &Arguments) -> std::io::Result<PathBuf> {
    arguments.retcond.as_ref().map_or_else(|| neighbour("retcond-chaos"), |retcond| Ok(retcond.clone()))
}

/// Gives the program that was built beside this one.
fn neighbour(name: &str) -> std::io::Result<PathBuf> {
    std::env::current_exe().map(|own| own.with_file_name(name))
}

/// Lists the faults that a run of this length has time for.
fn classes(seconds: u64, daemons: u32, run: &RunDir) -> Vec<String> {
    let is_listed = |class: Class| match class {
        Class::Freeze | Class::Failover => seconds >= 120,
        Class::Takeover => seconds >= 120 && daemons > 1,
        Class::DiskFull if seconds >= 120 => {
            let is_possible = Space::is_possible(run.path());
            if !is_possible {
                println!("disk-full is not on the list: no file system can be mounted here (only root can)");
            }
            is_possible
        }
        Class::DiskFull => false,
        Class::KillAnywhere
        | Class::KillAtPoint
        | Class::Terminate
        | Class::PostgresFast
        | Class::PostgresImmediate
        | Class::PostgresKill
        | Class::BackendKill
        | Class::CommitUnknown
        | Class::ReloadValid
        | Class::ReloadBroken
        | Class::ReloadHalf => true,
    };
    let made = Class::ALL.iter().filter(|(class, _)| is_listed(*class)).map(|(_, name)| *name);
    made.chain(sources::CLASSES).map(str::to_owned).collect()
}

/// Makes a run with nothing planted, which must be valid, and one with each mistake, which must be caught; all by one seed.
fn plant_all(arguments: &Arguments, seed: u64) -> Result<ExitCode, Box<dyn Error>> {
    let unknown = planted::unknown(&list_mistakes(&retcond(arguments)?));
    if !unknown.is_empty() {
        return Err(format!("of these mistakes either the daemon or the checker knows nothing: {unknown:?}").into());
    }
    let mut table = Vec::new();
    let mut run = |name: &str, course: Course, mistake: Option<&Mistake>| -> Result<(), Box<dyn Error>> {
        println!("\n== planted: {name}");
        let began = Instant::now();
        let (verdict, findings) = perform(arguments, (seed, course), mistake.map(|mistake| mistake.name))?;
        let breaks = mistake.map_or(&[][..], |mistake| mistake.breaks);
        let row = Row::new(name, began.elapsed().as_secs(), verdict, &findings, breaks);
        println!("{}", row.line());
        table.push(row);
        Ok(())
    };
    for course in Course::ALL {
        run(course.name(), course, None)?;
        for mistake in MISTAKES.iter().filter(|mistake| mistake.course == course) {
            run(mistake.name, course, Some(mistake))?;
        }
    }
    println!("\nseed {seed}, {} seconds each, and what it takes to come to rest", arguments.seconds);
    table.iter().for_each(|row| println!("{}", row.line()));
    let is_well = table.iter().all(Row::is_as_it_should_be);
    Ok(conclude(if is_well { Verdict::Valid } else { Verdict::Invalid }))
}
