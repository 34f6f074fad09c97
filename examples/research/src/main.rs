//! One question to many sources, and what came of it in time.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

mod ask;
mod sources;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bowline::hub::Hub;

use crate::ask::{Answer, ask};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let seconds = std::env::args().nth(1);
    let seconds: u64 = seconds.map_or(Ok(2), |word| word.parse()).context("the first word is a number of seconds")?;
    let sources = sources::all();
    let names: Vec<String> = sources.iter().map(|member| member.name().to_owned()).collect();
    let hub = Hub::builder().members(sources).build()?;

    let answer = ask(&hub, &names, "how old is the bowline?", Duration::from_secs(seconds)).await;
    show(&answer);
    hub.close().await;

    let is_whole = answer.found.len() + answer.missing.len() == names.len();
    // What the embedded sources are known to do.
    let is_best = sources::answers().all(|name| answer.found.iter().any(|found| found.source == name));
    Ok(if is_whole && is_best { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(answer: &Answer) {
    println!("{} sources answered:", answer.found.len());
    for found in &answer.found {
        println!("  {}: {}", found.source, found.text);
    }
    println!("{} are missing:", answer.missing.len());
    for missing in &answer.missing {
        println!("  {}: {}", missing.source, missing.why);
        if let Some(so_far) = &missing.so_far {
            println!("    it was at: {so_far}");
        }
    }
}
