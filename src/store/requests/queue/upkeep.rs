use crate::store::run::{Fault, Mode, Request, Session};

use super::{Ping, PurgeFinished, Recover, Release};

impl Request for Recover {
    type Reply = u64;

    const ACTION: &'static str = "recover work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<u64, Fault> {
        todo!()
    }
}

impl Request for Release {
    type Reply = u64;

    const ACTION: &'static str = "release work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<u64, Fault> {
        todo!()
    }
}

impl Request for PurgeFinished {
    type Reply = u64;

    const ACTION: &'static str = "remove finished work";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<u64, Fault> {
        todo!()
    }
}

impl Request for Ping {
    type Reply = ();

    const ACTION: &'static str = "answer";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _session: &Session<'_>) -> Result<(), Fault> {
        todo!()
    }
}
