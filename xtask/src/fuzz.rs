//! `cargo xtask fuzz`: foreign bytes for every decoder.

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Report;
use crate::soak::program;

#[derive(clap::Args)]
pub struct Args {
    /// A minute in all, in place of ten for each target.
    #[arg(long)]
    short: bool,
    /// What else the fuzzer is to be told, such as `--only envelope --seconds 60 --seed 7`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// How long the short form tries each of its targets, in seconds: together less than a minute.
const SHORT: &str = "3.5";

/// Runs the fuzzer; findings are kept under `target/fuzz`.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let findings = context.target.join("fuzz");
    let findings = findings.to_string_lossy();
    let mut options = vec!["--findings", &findings];
    if args.short {
        options.extend(["--seconds", SHORT]);
    }
    options.extend(args.rest.iter().map(String::as_str));
    program(context, "fuzz", !args.short, &options)
}

/// The step of `cargo xtask test`.
pub fn short(context: &Context, _: &mut Report) -> Result<()> {
    if !run(context, &Args { short: true, rest: Vec::new() })? {
        bail!("a decoder does not stand foreign bytes; the lines above say which");
    }
    Ok(())
}
