//! `cargo xtask interop`: the client against servers that others wrote.
//!
//! The core set has scenarios of its own, `tests/it/interop.rs`: here its servers are installed, the scenarios run and
//! their results shown. `--all` and `--revisions` put many more servers through the same paces, by `interop-probe`.

mod install;
mod page;
mod probe;
mod revisions;
mod servers;
mod table;

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, bail};

pub use self::install::install_one;
use self::probe::Probe;
pub use self::servers::Registry;
use self::servers::Server;
use crate::context::Context;
use crate::counts;
use crate::report::Report;

/// The OpenID provider that a login is tried at (`tests/it/auth/provider.rs`).
const PROVIDER: &str = "oidc-provider";
const PROVIDER_PIN: &str = "oidc-provider@9.13.3";

/// Tells the scenarios where the servers are; without it they skip themselves.
pub const DIRECTORY: &str = "BOWLINE_INTEROP_DIR";

#[derive(clap::Args)]
pub struct Args {
    /// Runs this server alone; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Runs all published servers, and writes what came of them to `docs/src/interop.md`.
    #[arg(long, conflicts_with = "revisions")]
    all: bool,
    /// Runs servers of each revision of the protocol, several times.
    #[arg(long)]
    revisions: bool,
    /// How often the servers of each revision are run.
    #[arg(long, default_value_t = 5, requires = "revisions")]
    times: u32,
    /// Prints the servers and their pins.
    #[arg(long)]
    list: bool,
}

/// Runs what `args` ask for; the answer is whether all is well.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let is_core = !args.all && !args.revisions;
    let list = if args.revisions { servers::of_each_revision()? } else { servers::all()? };
    let list: Vec<_> = list.iter().filter(|server| args.all || args.revisions || server.core).collect();
    if args.list {
        for server in list {
            println!("{:34} {}", server.name, server.pins.join(" "));
        }
        if is_core {
            println!("{PROVIDER:34} {PROVIDER_PIN}");
        }
        return Ok(true);
    }
    let is_known = |name: &String| (is_core && name == PROVIDER) || list.iter().any(|server| server.name == *name);
    if let Some(unknown) = args.only.iter().find(|name| !is_known(name)) {
        bail!("there is no server `{unknown}` here; `cargo xtask interop --list` with the same options prints them");
    }
    let chosen: Vec<_> =
        list.into_iter().filter(|server| args.only.is_empty() || args.only.contains(&server.name)).collect();
    let mut report = Report::default();
    let well = if args.revisions {
        revisions::run(context, &chosen, args.times, &mut report)?
    } else if args.all {
        published(context, &chosen, args.only.is_empty(), &mut report)?
    } else {
        let with_provider = args.only.is_empty() || args.only.iter().any(|name| name == PROVIDER);
        scenarios(context, &chosen, with_provider, &mut report)?;
        true
    };
    Ok(well && !report.lacks(context))
}

/// The servers of the scenario with many at once.
const TOGETHER: [&str; 6] = ["everything", "filesystem", "memory", "code-runner", "sqlite", "time"];

/// Runs the core set, as a step of `cargo xtask test`.
pub fn core(context: &Context, report: &mut Report) -> Result<()> {
    let all = servers::all()?;
    scenarios(context, &all.iter().filter(|server| server.core).collect::<Vec<_>>(), true, report)
}

/// Runs servers by the probe and shows a table, which becomes the page of the book where all were run.
fn published(context: &Context, chosen: &[&Server], is_complete: bool, report: &mut Report) -> Result<bool> {
    let directory = context.target.join("interop");
    let installed = install::install(context, &directory, chosen, report)?;
    let rows = Probe::build(context, &directory)?.run(context, chosen, installed);
    page::print(&rows);
    if is_complete {
        context.shell.write_file(page::PATH, page::text(&rows))?;
        println!("\nwritten to {}", page::PATH);
    }
    Ok(rows.iter().all(|row| !page::is_failure(row)))
}

fn scenarios(context: &Context, chosen: &[&Server], with_provider: bool, report: &mut Report) -> Result<()> {
    let directory = context.target.join("interop");
    let outcomes = install::install(context, &directory, chosen, report)?;
    let has_provider =
        with_provider && install::install_package(context, &directory, PROVIDER, &[PROVIDER_PIN.to_owned()], report)?;
    let mut installed = Vec::new();
    for (server, outcome) in chosen.iter().zip(outcomes) {
        match outcome {
            Ok(()) => installed.push(*server),
            Err(error) if report.missing.is_empty() => return Err(error),
            // The report has it, with the remedy.
            Err(_) => {}
        }
    }
    if installed.is_empty() && !has_provider {
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
    if TOGETHER.iter().all(|name| installed.iter().any(|server| server.name == *name)) {
        command.arg("interop::together_");
    }
    if has_provider {
        command.arg("auth::provider::");
    }
    command.env(DIRECTORY, &directory);
    let outcome = counts::run(command, &mut report.counts);
    if !installed.is_empty() {
        table::print(&results, &installed)?;
    }
    outcome
}

/// Does `work` for each item, so many at once; the answers are in the order of the items.
fn together<T: Sync, R: Send>(at_once: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(n) else { return };
                    let answer = work(item);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((n, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn answers_keep_the_order_of_the_items() {
        let items: Vec<u64> = (0..40).rev().collect();
        let answers = super::together(3, &items, |item| item * 2);
        assert_eq!(answers, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }
}
