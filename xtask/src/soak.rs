//! `cargo xtask soak`: very many calls through faults.

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// A twentieth of the calls, built for debugging: under a minute.
    #[arg(long)]
    short: bool,
    /// What else the soak is to be told, such as `--only memory --calls 5000 --seed 7`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the soak; its table goes to standard output.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let mut options: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    if args.short {
        options.push("--short");
    }
    program(context, "soak", !args.short, &options)
}

/// The step of `cargo xtask test`.
pub fn short(context: &Context, _: &mut Report) -> Result<()> {
    if !program(context, "soak", false, &["--short"])? {
        bail!("an invariant is broken; the table above says which");
    }
    Ok(())
}

/// Builds the programs of the tests and runs one of them; the answer is whether it ended well.
pub fn program(context: &Context, name: &str, release: bool, options: &[&str]) -> Result<bool> {
    // In a debug build the packages and features are those of `cargo xtask test`, so that nothing is built twice.
    let mut build = match release {
        true => vec!["build", "--release", "--package", "bowline-tests"],
        false => vec!["build", "--workspace", "--all-features"],
    };
    build.extend(["--bin", name, "--bin", "counting-server"]);
    if !context.command("cargo", &build).status()?.success() {
        bail!("the programs of the tests do not build");
    }
    let program = context
        .target
        .join(if release { "release" } else { "debug" })
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Ok(context.command(&program.to_string_lossy(), options).status()?.success())
}
