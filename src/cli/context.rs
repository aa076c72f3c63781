//! What every subcommand is given: the options that it shares with the others.

use std::path::PathBuf;

use super::args::{Format, Global};
use super::error::CliError;
use super::output;
use crate::api::client::{Answer, Client};
use crate::config;

/// The environment variable with the token for `--url`: an option would show it to everybody who lists processes.
const TOKEN: &str = "RETCON_TOKEN";

/// The options that subcommands share.
#[derive(Debug)]
pub(super) struct Context {
    global: Global,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        Self { global }
    }

    pub(super) fn format(&self) -> Format {
        self.global.format
    }

    /// Returns the configuration file to use.
    pub(super) fn config_file(&self) -> Result<PathBuf, CliError> {
        config::find(self.global.config.clone()).map_err(CliError::NoConfig)
    }

    /// Finds the daemon: by its URL, else by the socket in the state directory of the configuration.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        if let Some(url) = self.global.url.as_deref().filter(|url| !url.is_empty()) {
            let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
            return Client::at(url, token.as_deref()).map_err(CliError::Client);
        }
        let config = config::client(&self.config_file()?, config::environment()).map_err(CliError::Config)?;
        Client::over_socket(&config.socket()).map_err(CliError::Client)
    }

    /// Prints an answer: the body as it came, or a text made of it.
    pub(super) fn print<T>(&self, answer: &Answer<T>, text: impl FnOnce(&T) -> String) -> Result<(), CliError> {
        match self.global.format {
            Format::Json => output::print(&answer.body),
            Format::Text => output::print(&text(&answer.value)),
        }
    }
}
