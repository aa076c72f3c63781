//! The daemon that dies where it is told to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::program::{self, program};

/// `retcond-chaos`, built here: a build with its feature must not take the place of the one that the other tests use.
static RETCOND_CHAOS: LazyLock<PathBuf> = LazyLock::new(|| {
    let profile = Path::new(env!("CARGO_BIN_EXE_retcond")).parent().expect("it is in a directory");
    let target = profile.parent().expect("it is in the target directory");
    let mut cargo = Command::new(env!("CARGO"));
    // As `make chaos` does it, with the libraries of the tests.
    cargo.args(["build", "--locked", "--quiet", "--features", "chaos", "--bin", "retcond-chaos", "--examples"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir").arg(target);
    program::run(&mut cargo, b"").exits(0);
    target.join("debug/retcond-chaos")
});

/// A command that runs it, with this in its environment besides.
pub(crate) fn retcond_chaos(environment: &[(&str, &str)]) -> Command {
    let mut command = program(&*RETCOND_CHAOS);
    command.envs(environment.iter().copied());
    command
}
