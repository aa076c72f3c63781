//! Requests, one at a time, by whoever may block.

use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use tokio::runtime::Runtime;

use crate::api::client::in_the_clear;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A client and what drives it.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    runtime: Runtime,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Http {
    /// Makes a client that asks this machine: no proxy of the environment takes part.
    pub(super) fn new() -> io::Result<Self> {
        Self::build(in_the_clear())
    }

    /// Makes a client that asks whoever listens on a unix socket.
    pub(super) fn over_socket(path: &Path) -> io::Result<Self> {
        Self::build(in_the_clear().unix_socket(path))
    }

    fn build(builder: reqwest::ClientBuilder) -> io::Result<Self> {
        let client = builder.no_proxy().timeout(TIMEOUT).build().map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime })
    }

    pub(super) fn ask(&self, method: Method, url: &str, document: Option<&str>) -> Result<Answer, reqwest::Error> {
        self.runtime.block_on(async {
            let request = self.client.request(method, url);
            let request = match document {
                Some(document) => request.header("content-type", "application/json").body(document.to_owned()),
                None => request,
            };
            let answer = request.send().await?;
            Ok(Answer { status: answer.status(), body: answer.bytes().await?.to_vec() })
        })
    }
}
