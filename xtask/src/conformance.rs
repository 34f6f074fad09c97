//! `cargo xtask conformance`: the official conformance suite, pinned.
//!
//! It is run against the mock server of the testkit, so that what our tests hold the client against is itself held
//! against something. Ticks of the suite alone prove nothing, since a check that is skipped counts as passed: each
//! scenario has a stored number of checks that have to succeed.

mod floors;
mod results;
mod server;
mod suite;
mod table;

use anyhow::{Result, bail};

use self::floors::Floors;
use self::results::Scenario;
use self::suite::Suite;
use crate::context::Context;
use crate::report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// Runs the scenarios for servers, against the mock server.
    #[arg(long, required = true)]
    server: bool,
    /// Writes down how many checks succeed now, as what has to succeed from now on.
    #[arg(long)]
    store: bool,
}

/// Runs what `args` ask for; the answer is whether all is well.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let mut report = Report::default();
    if args.server {
        server_half(context, &mut report, args.store)?;
    }
    for note in &report.notes {
        println!("\n{note}");
    }
    Ok(!report.lacks(context))
}

/// Runs the suite, as a step of `cargo xtask test`.
pub fn all(context: &Context, report: &mut Report) -> Result<()> {
    server_half(context, report, false)
}

fn server_half(context: &Context, report: &mut Report, store: bool) -> Result<()> {
    let Some(suite) = Suite::install(context, report)? else { return Ok(()) };
    let scenarios = server::run(context, &suite)?;
    judge(context, report, "tests/conformance/server.toml", &scenarios, store)
}

/// Shows what came of the scenarios, and fails where it is less than what is stored in `file`.
fn judge(context: &Context, report: &mut Report, file: &str, scenarios: &[Scenario], store: bool) -> Result<()> {
    table::print(scenarios);
    let successes: u64 = scenarios.iter().map(|scenario| scenario.tally.success).sum();
    report.notes.push(format!("{} scenarios, {successes} checks succeeded", scenarios.len()));
    let complaints = if store {
        context.shell.write_file(file, Floors::of(scenarios).to_string())?;
        floors::troubles(scenarios)
    } else {
        let floors: Floors = context.shell.read_file(file)?.parse()?;
        floors.judge(scenarios)
    };
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    bail!("{} complaints of conformance, see above", complaints.len())
}
