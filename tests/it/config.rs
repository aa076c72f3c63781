//! Whole configuration files: what is read from a good one, and what is said of a bad one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use retcon::config::model::{Config, Entity, Source};
use retcon::config::{self, ConfigErrors, Loaded};

mod mistakes;
mod example;
mod settings;
mod commands;
mod environment;
mod client;
mod diff;

/// A directory with a configuration in it.
struct Home {
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    fn with(toml: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::write(directory.path().join("retcon.toml"), toml).expect("a file can be written");
        let environment = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        Self { directory, environment }
    }

    fn file(self, name: &str, text: &str, mode: u32) -> Self {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        config::load(&self.path("retcon.toml"), self.environment.clone())
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}")).config
    }

    /// Returns the errors as lines, the directory left out.
    fn errors(&self) -> Vec<String> {
        let errors = self.load().expect_err("the file is wrong").errors;
        errors.iter().map(|finding| self.shorten(&finding.to_string())).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = self.load().unwrap_or_else(|errors| panic!("{errors}")).warnings;
        warnings.iter().map(|finding| self.shorten(&finding.to_string())).collect()
    }

    fn shorten(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn entity(config: &Config, name: &str) -> Arc<Entity> {
    config.entities[&name.parse().expect("a name")].clone()
}

fn source(config: &Config, entity: &str, source: &str) -> Arc<Source> {
    self::entity(config, entity).sources[&source.parse().expect("a name")].clone()
}

fn errors(toml: &str) -> Vec<String> {
    Home::with(toml).errors()
}
