//! Connects to a server that misbehaves, shows every frame, and says what was wrong.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

mod finding;
mod patient;
mod session;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::finding::Finding;
use crate::session::Session;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).skip_while(|word| word == "--").collect();
    let Some((program, arguments)) = words.split_first() else {
        return embedded().await;
    };
    let findings = of_program(program, arguments).await?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A server of one's own, which gets the time that servers need.
async fn of_program(program: &str, arguments: &[String]) -> Result<Vec<Finding>> {
    let server = bowline::stdio(program).args(arguments);
    let session = Session::open(server, Duration::from_secs(10)).await;
    let session = session.with_context(|| format!("`{program}` gave no session; does it run by itself?"))?;
    let findings = session.examine().await?;
    show::findings(&findings);
    Ok(findings)
}

/// The server that comes with this program, whose faults are known: all of them have to be found.
async fn embedded() -> Result<ExitCode> {
    let patient = patient::server();
    let session = Session::open(patient.connector(), Duration::from_millis(300)).await?;
    let findings = session.examine().await?;
    show::findings(&findings);
    let missed = patient::missed(&findings);
    for fault in &missed {
        println!("not found: {fault}");
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
