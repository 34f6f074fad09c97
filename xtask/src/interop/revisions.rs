//! Servers of each revision, run several times.

use anyhow::Result;

use super::install;
use super::probe::{Outcome, Probe};
use super::servers::Server;
use super::table::columns;
use crate::context::Context;
use crate::report::Report;

/// Runs each server so many times and shows, by revision, how often it did all that was asked; the answer is whether
/// it always did.
pub fn run(context: &Context, servers: &[&Server], times: u32, report: &mut Report) -> Result<bool> {
    let directory = context.target.join("interop");
    let installed = install::install(context, &directory, servers, report)?;
    let mut there = Vec::new();
    let mut well = true;
    for (server, outcome) in servers.iter().zip(installed) {
        match outcome {
            Ok(()) => there.push(*server),
            Err(error) => {
                well = false;
                println!("{}: {error:#}", server.name);
            }
        }
    }
    let probe = Probe::build(context, &directory)?;
    let mut tallies: Vec<Tally> =
        there.iter().map(|server| Tally { server, passed: 0, steps: String::new(), failure: None }).collect();
    for _ in 0..times {
        let rows = probe.run(context, &there, there.iter().map(|_| Ok(())).collect());
        for (row, tally) in rows.into_iter().zip(&mut tallies) {
            tally.add(row.outcome);
        }
    }
    let head = ["revision", "server", "transport", "passed", "did", "first failure"];
    let mut table = vec![head.map(str::to_owned)];
    tallies.sort_by(|a, b| a.server.expect.revision.cmp(&b.server.expect.revision));
    for tally in &tallies {
        table.push([
            tally.server.expect.revision.clone(),
            tally.server.pins.join(" "),
            tally.server.transport().to_owned(),
            format!("{} of {times}", tally.passed),
            tally.steps.clone(),
            tally.failure.clone().unwrap_or_default(),
        ]);
    }
    println!();
    columns(&table);
    Ok(well && tallies.iter().all(|tally| tally.passed == times))
}

/// What came of one server so far.
struct Tally<'a> {
    server: &'a Server,
    passed: u32,
    steps: String,
    failure: Option<String>,
}

impl Tally<'_> {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ran(found) if found.failure.is_none() => {
                self.passed += 1;
                self.steps = found.steps.join(", ");
            }
            Outcome::Ran(found) => self.failure = self.failure.take().or(found.failure),
            Outcome::NotInstalled(why) => self.failure = self.failure.take().or(Some(why)),
        }
    }
}
