//! A simulated system's program.

use std::error::Error as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match retcon_chaos::sim::run(&arguments) {
        Ok(exit) => ExitCode::from(u8::try_from(exit).unwrap_or(70)),
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::from(70)
        }
    }
}
