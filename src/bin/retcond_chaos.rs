//! The daemon, and its guardian, as tests run them that kill it at named points or plant mistakes in it (`retcon::points`).

use std::process::ExitCode;

use clap::Parser;
use retcon::points::armed;

#[derive(Debug, Parser)]
#[command(name = "retcond-chaos", version, about = "retcond, for tests that kill it and plant mistakes in it")]
struct ChaosArguments {
    #[command(flatten)]
    daemon: retcon::daemon::Arguments,
    /// Lists the points at which it can be killed (RETCON_KILL_AT=NAME:N) and the mistakes it can make (RETCON_PLANT=NAME)
    #[arg(long)]
    kill_points: bool,
}

fn main() -> ExitCode {
    if let Some(exit) = retcon::source::guardian::stand_guard() {
        return exit;
    }
    let arguments = ChaosArguments::parse();
    if arguments.kill_points {
        print!("{}", armed::names());
        return ExitCode::SUCCESS;
    }
    match armed::check() {
        Ok(()) => retcon::daemon::main(&arguments.daemon),
        Err(code) => code,
    }
}
