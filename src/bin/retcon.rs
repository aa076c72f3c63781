//! The command line.

fn main() -> std::process::ExitCode {
    retcon::cli::main()
}
