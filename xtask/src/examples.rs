//! `cargo xtask examples`: the examples of the crates, and the applications under `examples/`.
//!
//! Each needs no network, no key and no argument, checks what it shows, and ends by itself.

mod build;
mod cold_start;
mod load;
mod process;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Report;

/// What an example may take, on a machine that does other things as well.
const BOUND: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub struct Args {
    /// Runs this example alone; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Prints the examples there are.
    #[arg(long)]
    list: bool,
    /// Shows all that each prints, not only of those that fail.
    #[arg(long)]
    show: bool,
    /// Measures a whole process of `examples/serverless` beside the same with the SDKs for Python and TypeScript.
    #[arg(long)]
    cold_start: bool,
    /// Loads the service of `examples/microservice` for ten seconds, and stops it in the middle of as many more.
    #[arg(long, conflicts_with = "cold_start")]
    load: bool,
    /// With `--cold-start`: writes the table to the page of the book as well.
    #[arg(long, requires = "cold_start")]
    write: bool,
}

/// Runs those that were asked for; the answer is whether all ended well.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    if args.cold_start {
        cold_start::run(context, args.write)?;
        return Ok(true);
    }
    if args.load {
        return load::run(context);
    }
    let examples = chosen(build::all(context)?, &args.only)?;
    if args.list {
        for example in &examples {
            println!("{:14} {}", example.name, example.package);
        }
        return Ok(true);
    }
    Ok(run_each(context, &examples, args.show)? == 0)
}

/// All of them, as a step of `cargo xtask test`.
pub fn all(context: &Context, report: &mut Report) -> Result<()> {
    let examples = build::all(context)?;
    let failed = run_each(context, &examples, false)?;
    report.counts.passed += (examples.len() - failed) as u64;
    report.counts.failed += failed as u64;
    if failed > 0 {
        bail!("{failed} of {} examples failed; what they printed is above", examples.len());
    }
    Ok(())
}

fn chosen(all: Vec<build::Example>, only: &[String]) -> Result<Vec<build::Example>> {
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|example| example.name != **name)) {
        let names: Vec<_> = all.iter().map(|example| example.name.as_str()).collect();
        bail!("there is no example `{unknown}`; the examples are {}", names.join(", "));
    }
    Ok(all.into_iter().filter(|example| only.is_empty() || only.contains(&example.name)).collect())
}

/// Runs one after the other, and tells how many failed.
fn run_each(context: &Context, examples: &[build::Example], show: bool) -> Result<usize> {
    let mut failed = 0;
    for example in examples {
        // A home of its own: no example reads or writes what belongs to whoever runs this.
        let home = context.target.join("examples").join(&example.name);
        if home.is_dir() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        let started = Instant::now();
        let ended = process::run(Command::new(&example.program), &home, BOUND)?;
        let took = started.elapsed().as_secs_f64();
        let word = if ended.fault.is_none() { "ok" } else { "FAILED" };
        println!("{word:6} {:14} {took:>5.1} s", example.name);
        if show || ended.fault.is_some() {
            print!("{}", ended.printed);
        }
        if let Some(fault) = ended.fault {
            println!("       {}: {fault}", example.name);
            failed += 1;
        }
    }
    Ok(failed)
}
