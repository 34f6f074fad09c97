//! `cargo xtask interop`: the client against servers that others wrote.
//!
//! The scenarios are `tests/it/interop.rs`; here the servers are installed, the scenarios run and their results shown.

mod install;
mod servers;
mod table;

use std::fs;

use anyhow::{Result, bail};

use self::servers::Server;
use crate::context::Context;
use crate::counts;
use crate::report::Report;

/// Tells the scenarios where the servers are; without it they skip themselves.
pub const DIRECTORY: &str = "BOWLINE_INTEROP_DIR";

#[derive(clap::Args)]
pub struct Args {
    /// Runs this server alone; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Prints the servers and their pins.
    #[arg(long)]
    list: bool,
}

/// Runs what `args` ask for; the answer is whether all is well.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    if args.list {
        for server in servers::ALL {
            println!("{:16} {}", server.name, server.pins.join(" "));
        }
        return Ok(true);
    }
    if let Some(unknown) = args.only.iter().find(|name| servers::ALL.iter().all(|server| server.name != name.as_str()))
    {
        bail!("there is no server `{unknown}`; `cargo xtask interop --list` prints them");
    }
    let wanted = |server: &&Server| args.only.is_empty() || args.only.iter().any(|name| name == server.name);
    let chosen: Vec<_> = servers::ALL.iter().filter(wanted).collect();
    let mut report = Report::default();
    scenarios(context, &chosen, &mut report)?;
    Ok(!report.lacks(context))
}

/// Runs every server, as a step of `cargo xtask test`.
pub fn all(context: &Context, report: &mut Report) -> Result<()> {
    scenarios(context, &servers::ALL.iter().collect::<Vec<_>>(), report)
}

fn scenarios(context: &Context, chosen: &[&Server], report: &mut Report) -> Result<()> {
    let directory = context.target.join("interop");
    let installed = install::install(context, &directory, chosen, report)?;
    if installed.is_empty() {
        return Ok(());
    }
    let results = directory.join("results");
    if results.exists() {
        fs::remove_dir_all(&results)?;
    }
    fs::create_dir_all(&results)?;

    // The same packages and features as in `cargo xtask test`, so that nothing is built twice.
    let runner: &[&str] = if context.has_nextest() { &["nextest", "run"] } else { &["test"] };
    let mut command = context.command("cargo", runner);
    command.args(["--workspace", "--all-features", "--test", "it", "--no-fail-fast", "--"]);
    // A scenario over stdio is named after its server; those over the web stand in modules of their own.
    for server in &installed {
        let name = server.name.replace('-', "_");
        command.args(["", "http::", "websocket::"].map(|module| format!("interop::{module}{name}_")));
    }
    command.env(DIRECTORY, &directory);
    let outcome = counts::run(command, &mut report.counts);
    table::print(&results, &installed)?;
    outcome
}
