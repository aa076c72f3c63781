//! The daemon.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    retcon::daemon::main(&retcon::daemon::Arguments::parse())
}
