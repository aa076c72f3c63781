//! The daemon, and its guardian.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match retcon::source::guardian::stand_guard() {
        Some(exit) => exit,
        None => retcon::daemon::main(&retcon::daemon::Arguments::parse()),
    }
}
