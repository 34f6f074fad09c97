//! w5: the whole process, from its start to its end.
//!
//! The harness looks whether a process has ended at times that lie further and further apart, so all that takes between
//! 3.5 and 7.5 ms looks the same to it. Here the end is waited for.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Bench, rows};
use crate::listening::Listening;

/// More rounds than of other workloads: each is one short run.
const MORE_ROUNDS: u32 = 12;

pub fn measure(bench: &Bench<'_>) -> Result<()> {
    let file = bench.piece("w5")?;
    let server = bench.built.join("release/bench-server");
    let listening = Listening::start(Command::new(&server).args(["http", "--tools", "1000"]), "")?;
    let port: u16 = listening.address().parse().context("the server did not print its port")?;
    let contestants = bench.contestants();
    for transport in bench.transports().filter(|transport| *transport != "sse") {
        for round in 0..bench.args.rounds + MORE_ROUNDS {
            // Each round in another order, so that no one always runs after the same one.
            for at in 0..contestants.len() {
                let (name, program) = &contestants[(at + round as usize) % contestants.len()];
                let mut command = Command::new(program);
                command.args(["w5", transport]);
                match transport {
                    "stdio" => command.arg(&server).args(["stdio", "--tools", "1000"]),
                    _ => command.arg(format!("http://127.0.0.1:{port}/mcp")),
                };
                let mut row =
                    run(command.args(["--count", "1"])).with_context(|| format!("{name} over {transport}"))?;
                for (key, value) in [("round", json!(round)), ("mode", json!(transport)), ("name", json!(name))] {
                    row[key] = value;
                }
                rows::append(&file, &row)?;
            }
        }
    }
    Ok(())
}

/// Runs a contestant; its own row, with the time that the process took.
fn run(command: &mut Command) -> Result<Value> {
    let started = Instant::now();
    let output = command.stderr(Stdio::null()).output()?;
    let wall_us = started.elapsed().as_secs_f64() * 1e6;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut row: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).context("it printed no row")?;
    if let Some(error) = row.get("error") {
        bail!("it failed: {error}");
    }
    row["wall_us"] = json!(wall_us);
    Ok(row)
}
