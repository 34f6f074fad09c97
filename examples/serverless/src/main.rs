//! A function: an event in, a tool's answer out, and the process ends.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its outputs are what a platform reads")]

mod server;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bowline::blocking::Client;
use bowline::prelude::*;
use serde::{Deserialize, Serialize};

/// What a platform ends the function at; the call has to be over before.
const TIME: Duration = Duration::from_secs(10);
/// `EX_TEMPFAIL` of sysexits.h: whoever started this may do it again.
const TRY_AGAIN: u8 = 75;

/// What comes in.
#[derive(Deserialize)]
struct Event {
    a: f64,
    b: f64,
}

/// What goes out.
#[derive(Serialize, Deserialize)]
struct Answer {
    sum: f64,
}

fn main() -> ExitCode {
    let word = std::env::args().nth(1);
    if let Some(served) = word.as_deref().and_then(server::asked) {
        return served;
    }
    let event = word.as_deref().unwrap_or(r#"{"a": 2, "b": 40}"#);
    match answer(event).and_then(|answer| Ok(serde_json::to_string(&answer)?)) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if is_safe_to_repeat(&error) { TRY_AGAIN } else { 1 })
        }
    }
}

/// The function. What is dropped on an early return ends the server's process as well.
fn answer(event: &str) -> Result<Answer> {
    let event: Event = serde_json::from_str(event).context("the event is not {\"a\": NUMBER, \"b\": NUMBER}")?;
    let client = Client::connect(&server::name()?)?;
    let result = client.run(|client| client.call("add").arg("a", event.a).arg("b", event.b).max_time(TIME))?;
    if result.is_error() {
        bail!("the tool failed: {}", result.joined_text());
    }
    let sum = result.structured_content.as_ref().context("the tool gave no structured result")?;
    let answer = sum.parse().context("the tool's result is not {\"sum\": NUMBER}")?;
    client.close()?;
    Ok(answer)
}

/// Whether nothing can have happened yet: platforms try again by themselves, and a tool must not run twice by that.
fn is_safe_to_repeat(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| error.is_retryable() && error.sent() == Sent::No)
}
