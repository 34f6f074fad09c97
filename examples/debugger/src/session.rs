//! One session with a server: what it is asked, and what happened meanwhile.

use std::time::Duration;

use anyhow::Result;
use bowline::Reconnect;
use bowline::prelude::*;
use bowline_testkit::{InspectedStream, Inspector, Passed};

use crate::finding::Finding;
use crate::show;

/// How many frames wait to be shown; they are taken after each call.
const WAITING: usize = 10_000;
/// More tools than this are not called.
const MOST_CALLED: usize = 100;

/// A client, and all that passes between it and its server.
pub(crate) struct Session {
    client: Client,
    inspector: Inspector,
    passed: InspectedStream,
    /// How long a call may be silent.
    patience: Duration,
    findings: Vec<Finding>,
}

impl Session {
    /// Connects. What is wrong with the handshake is shown, frame by frame, before the error is given.
    pub(crate) async fn open(server: impl Connect, patience: Duration) -> Result<Self> {
        let (builder, mut passed) = Inspector::builder().stream(WAITING);
        let inspector = builder.build();
        // One that ends in the middle is started again: what it does next is to be seen as well.
        let client = Client::builder().reconnect(Reconnect::default());
        match client.connect(inspector.wrap(server)).await {
            Ok(client) => Ok(Self { client, inspector, passed, patience, findings: Vec::new() }),
            Err(error) => {
                while let Some(seen) = passed.try_next() {
                    show::passed(&seen);
                }
                Err(error.into())
            }
        }
    }

    /// Asks the server for all that can be asked without consequences; what was found wrong.
    pub(crate) async fn examine(mut self) -> Result<Vec<Finding>> {
        self.settle("connect").await;
        let tools = self.client.tools().all().await;
        let tools = match tools {
            Ok(tools) => tools,
            Err(error) => {
                self.failed("list", &error);
                Vec::new()
            }
        };
        self.settle("list").await;
        for tool in tools.iter().filter(|tool| is_harmless(tool)).take(MOST_CALLED) {
            let outcome = self.client.call(&tool.name).idle_timeout(self.patience).await;
            if let Err(error) = outcome {
                self.failed(&tool.name, &error);
            }
            self.settle(&tool.name).await;
        }
        self.client.close().await?;
        self.gather("close");
        show::counts(&self.inspector.counts());
        Ok(self.findings)
    }

    /// Whatever the server still had to say comes before its answer to a ping, which also tells whether it lives.
    async fn settle(&mut self, during: &str) {
        if let Err(error) = self.client.ping().await {
            self.failed(&format!("the ping after {during}"), &error);
        }
        self.gather(during);
    }

    /// Shows what passed, and keeps what was odd.
    fn gather(&mut self, during: &str) {
        while let Some(seen) = self.passed.try_next() {
            show::passed(&seen);
            if let Passed::Odd(what) = seen.what {
                let then = "the connection went on".to_owned();
                self.findings.push(Finding { during: during.to_owned(), what, then });
            }
        }
    }

    /// An error that the server caused. A tool that is unknown or refuses is not wrong.
    fn failed(&mut self, during: &str, error: &Error) {
        if matches!(error.kind(), ErrorKind::Server) {
            return;
        }
        let then = format!("the call failed ({}); the request {}", error.kind().name(), error.sent());
        self.findings.push(Finding { during: during.to_owned(), what: error.to_string(), then });
    }
}

/// Whether a tool says that it only reads, and needs nothing to be said.
fn is_harmless(tool: &Tool) -> bool {
    let only_reads = tool.annotations.as_ref().is_some_and(|hints| hints.read_only_hint == Some(true));
    let schema: Option<serde_json::Value> = tool.input_schema.parse().ok();
    let required = schema.as_ref().and_then(|schema| schema.get("required")).and_then(|names| names.as_array());
    only_reads && required.is_none_or(Vec::is_empty)
}
