//! `cargo xtask conformance`: the official conformance suite, pinned.
//!
//! It is run against the client; and against the mock server of the testkit, so that what our tests hold the client
//! against is itself held against something. Ticks of the suite alone prove nothing, since a check that is skipped
//! counts as passed: each scenario has a stored number of checks that have to succeed.

mod client;
mod floors;
mod results;
mod server;
mod suite;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use self::client::Waiting;
use self::floors::Floors;
use self::results::Scenario;
use self::suite::Suite;
use crate::context::Context;
use crate::report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// Runs the scenarios for servers, against the mock server, instead of those for clients.
    #[arg(long)]
    server: bool,
    /// Writes down how many checks succeed now, as what has to succeed from now on.
    #[arg(long)]
    store: bool,
}

/// Runs what `args` ask for; the answer is whether all is well.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let mut report = Report::default();
    let half = if args.server { server_half } else { client_half };
    half(context, &mut report, args.store)?;
    for note in &report.notes {
        println!("\n{note}");
    }
    Ok(!report.lacks(context))
}

/// Runs the suite against the client, as a step of `cargo xtask test`.
pub fn client(context: &Context, report: &mut Report) -> Result<()> {
    client_half(context, report, false)
}

/// Runs the suite against the mock server, as a step of `cargo xtask test`.
pub fn server(context: &Context, report: &mut Report) -> Result<()> {
    server_half(context, report, false)
}

fn client_half(context: &Context, report: &mut Report, store: bool) -> Result<()> {
    let file = "tests/conformance/client.toml";
    let Some(suite) = Suite::install(context, report)? else { return Ok(()) };
    let floors: Floors = context.shell.read_file(file)?.parse()?;
    let (scenarios, waiting) = client::run(context, &suite, &floors)?;
    judge(context, report, file, floors, &scenarios, &waiting, store)
}

fn server_half(context: &Context, report: &mut Report, store: bool) -> Result<()> {
    let file = "tests/conformance/server.toml";
    let Some(suite) = Suite::install(context, report)? else { return Ok(()) };
    let floors: Floors = context.shell.read_file(file)?.parse()?;
    let scenarios = server::run(context, &suite)?;
    judge(context, report, file, floors, &scenarios, &[], store)
}

/// Shows what came of the scenarios, and fails where it is less than the `floors` from `file`.
fn judge(
    context: &Context,
    report: &mut Report,
    file: &str,
    floors: Floors,
    scenarios: &[Scenario],
    waiting: &[Waiting],
    store: bool,
) -> Result<()> {
    table::print(scenarios, waiting);
    report.notes.push(summary(scenarios, waiting));
    let complaints = if store {
        context.shell.write_file(file, floors.raised(scenarios).to_string())?;
        floors::troubles(scenarios)
    } else {
        floors.judge(scenarios, waiting)
    };
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    bail!("{} complaints of conformance, see above", complaints.len())
}

/// How many scenarios there are, by whether they passed or wait, a scenario at two revisions counting once.
fn summary(scenarios: &[Scenario], waiting: &[Waiting]) -> String {
    let names = |failed: bool| {
        let chosen = scenarios.iter().filter(|scenario| scenario.troubles.is_empty() != failed);
        chosen.map(|scenario| scenario.name.as_str()).collect::<BTreeSet<_>>()
    };
    let (failed, mut passed) = (names(true), names(false));
    passed.retain(|name| !failed.contains(name));
    let (runs, checks) = (scenarios.len(), scenarios.iter().map(|scenario| scenario.tally.success).sum::<u64>());
    let mut line = format!("{} scenarios passed, {} failed ({runs} runs, {checks} checks)", passed.len(), failed.len());
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Waiting { name, reason, .. } in waiting {
        reasons.entry(reason).or_default().insert(name);
    }
    for (reason, names) in reasons {
        line.push_str(&format!(", {} wait for {reason}", names.len()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::results::Tally;
    use super::*;

    #[test]
    fn the_summary_counts_scenarios_once_and_names_what_they_wait_for() {
        let scenario = |run: &str, name: &str, troubles: &[&str]| Scenario {
            run: run.to_owned(),
            name: name.to_owned(),
            tally: Tally { success: 2, ..Tally::default() },
            troubles: troubles.iter().map(|&trouble| trouble.to_owned()).collect(),
        };
        let waiting =
            |run: &str, name: &str| Waiting { run: run.to_owned(), name: name.to_owned(), reason: "rain".to_owned() };
        let scenarios = [scenario("1", "a", &[]), scenario("2", "a", &["no"]), scenario("1", "b", &[])];
        let line = summary(&scenarios, &[waiting("1", "c"), waiting("2", "c"), waiting("1", "d")]);
        assert_eq!(line, "1 scenarios passed, 1 failed (3 runs, 6 checks), 2 wait for rain");
    }
}
