//! The configuration that the daemon begins with, and who has it read again.

use std::path::PathBuf;
use std::sync::Arc;

use actix::{Addr, Arbiter};
use slog::{Logger, o};

use crate::actor::herald::Herald;
use crate::actor::reloader::{self, Means, Reload, Reloader};
use crate::actor::store::StoreActor;
use crate::actor::supervision::{ActorPath, Ledger};
use crate::actor::supervisor::Supervisor;
use crate::api::access::Tokens;
use crate::api::{Arrears, Service, UnderWay};
use crate::config::{Config, Inputs};
use crate::log::{Control, key};
use crate::metrics::Tally;

use super::signals::{Signals, Wanted};

/// What the daemon begins with.
pub(super) struct Configuration {
    pub(super) path: PathBuf,
    pub(super) config: Arc<Config>,
    pub(super) inputs: Inputs,
    /// Of the log.
    pub(super) control: Control,
}

impl Configuration {
    /// Starts the reloader; gives what the API works with.
    pub(super) fn serve(
        self,
        supervisor: Addr<Supervisor>,
        store: Addr<StoreActor>,
        ledger: Ledger,
        (tally, herald): (Tally, Herald),
        log: &Logger,
    ) -> Service {
        let Self { path, config, inputs, control } = self;
        let log_of_reloader = log.new(o!(key::ACTOR => ActorPath::Reloader.to_string()));
        let recipient = supervisor.clone().recipient();
        let means =
            Means::new(path.clone(), config, inputs, recipient, control, log_of_reloader).telling(herald.clone());
        let (config, config_state) = (means.in_force(), means.state());
        let reloader = reloader::start(&Arbiter::current(), means, ledger).addr;
        let tokens = Arc::new(Tokens::new(store.clone()));
        let arrears = Arrears::start(&Arbiter::current(), store.clone(), log);
        Service {
            supervisor,
            store,
            reloader,
            tokens,
            sessions: Arc::default(),
            signers: Arc::default(),
            config,
            config_path: path,
            config_state,
            tally,
            herald,
            under_way: UnderWay::default(),
            arrears,
            log: log.clone(),
        }
    }
}

/// Obeys signals until one wants the end, and gives its name.
pub(super) async fn obey(signals: &mut Signals, reloader: &Addr<Reloader>) -> &'static str {
    loop {
        match signals.next().await {
            Wanted::End(name) => return name,
            // What comes of it is in the log.
            Wanted::Reload => reloader.do_send(Reload),
        }
    }
}
