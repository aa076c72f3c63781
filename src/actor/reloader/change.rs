//! What a configuration that was read means for the one in force.

use std::sync::Arc;

use slog::{Logger, info, warn};

use crate::config::{Config, ConfigDiff};

use super::Reloaded;

/// From the configuration in force to the next one.
pub(super) struct Change {
    /// What was read, but for what needs a restart: that stays as it is.
    pub(super) config: Arc<Config>,
    pub(super) diff: ConfigDiff,
}

impl Change {
    pub(super) fn between(running: &Config, read: Config) -> Self {
        let diff = ConfigDiff::between(Some(running), &read);
        let config = Config { server: running.server.clone(), database: running.database.clone(), ..read };
        Self { config: Arc::new(config), diff }
    }

    /// Says whether anything differs that need not wait for a restart.
    pub(super) fn takes_effect(&self) -> bool {
        let ConfigDiff { needs_restart: _, settings, entities } = &self.diff;
        !settings.is_empty() || !entities.is_empty()
    }

    pub(super) fn reloaded(&self) -> Reloaded {
        if !self.diff.needs_restart.is_empty() {
            Reloaded::NeedsRestart { changes: self.diff.lines() }
        } else if self.takes_effect() {
            Reloaded::Applied { changes: self.diff.lines() }
        } else {
            Reloaded::Unchanged
        }
    }

    /// Logs what came of it.
    pub(super) fn tell(&self, log: &Logger) {
        let changes = self.diff.lines().join("\n");
        let needs_restart = self.diff.needs_restart.join(" ");
        match (self.takes_effect(), needs_restart.is_empty()) {
            (true, true) => crate::notice!(log, "configuration applied"; "changes" => changes),
            (true, false) => {
                warn!(log, "configuration applied"; "changes" => changes, "needs_restart" => needs_restart);
            }
            (false, true) => info!(log, "configuration unchanged"),
            (false, false) => warn!(log, "configuration unchanged"; "needs_restart" => needs_restart),
        }
    }
}
