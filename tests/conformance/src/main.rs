//! A client for the official conformance suite: it connects, and does what the scenario is about.
//!
//! The suite appends the URL of its server as the last argument and names the scenario and the revision in the
//! environment. What is here is what a user of the library would write: where to connect, which tools to call, and
//! what to answer. All that the suite checks is the library's.

mod authorization;
mod scenarios;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bowline::prelude::*;
use bowline::protocol::{CreateMessageResult, ElicitRequestParams, ElicitResult, Revision, Root, TextContent};
use bowline::{RequestContext, Target, TargetOptions};

/// The suite ends a client after 30 s. Some of its servers never answer.
const LIMIT: Duration = Duration::from_secs(25);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match tokio::time::timeout(LIMIT, run()).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
        Err(_) => {
            report("the scenario did not end in time");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the suite keeps it beside its checks")]
fn report(what: &str) {
    eprintln!("error: {what}");
}

async fn run() -> Result<()> {
    let url = std::env::args().next_back().context("the suite gives the URL of its server as the last argument")?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").context("MCP_CONFORMANCE_SCENARIO names no scenario")?;
    let version = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").context("MCP_CONFORMANCE_PROTOCOL_VERSION")?;
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| String::from("{}"));
    let context = serde_json::from_str(&context).context("MCP_CONFORMANCE_CONTEXT")?;

    let mut options = TargetOptions::default();
    if scenario.starts_with("auth/") {
        options = options.with_authorize(Arc::new(authorization::oauth(&url, &scenario, &context)?));
    }
    let client = connect(&url, &options, version.parse()?).await?;
    let done = scenarios::play(&client, &scenario, &context).await;
    client.close().await?;
    done
}

/// Connects with every handler that a client may have.
async fn connect(url: &str, options: &TargetOptions, revision: Revision) -> Result<Client> {
    // Accepting a form with nothing filled in takes the defaults of its fields.
    let accept = |_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::accept_url()) };
    let sample = |_, _: RequestContext| async { Ok(CreateMessageResult::new("scripted", TextContent::new("hello"))) };
    let client = Client::builder()
        .revision(revision)
        .on_elicitation(accept)
        .on_sampling(sample)
        .roots(vec![Root::new("file:///srv/conformance")])
        // Some of the suite's servers declare nothing and serve it all the same.
        .allow_undeclared(true)
        .connect(Target::parse_with(url, options)?)
        .await?;
    Ok(client)
}
