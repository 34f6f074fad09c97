//! `cargo xtask bench`: bowline beside a hand-written client and other libraries, in one run.
//!
//! The harness is another project: `BOWLINE_BENCH_DIR`, by default `../shared/bench` beside the workspace. It is
//! built under the target directory; so is the contestant, whose source is `bench/contestant`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::context::Context;

/// How to run the benchmarks.
#[derive(clap::Args)]
pub struct Args {
    /// Rounds, interleaved; a figure is the median, a ratio the median of the rounds' own.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Workloads of the harness, by its names.
    #[arg(long, default_value = "w1,w2,w3,w4,w6,w9")]
    workloads: String,
    /// Transports of the harness, by its names.
    #[arg(long, default_value = "stdio,http,sse")]
    transports: String,
    /// Who runs beside bowline.
    #[arg(long, default_value = "raw,rmcp,tower-mcp")]
    contestants: String,
    /// Counts allocations in one round instead of measuring time.
    #[arg(long)]
    allocs: bool,
}

/// Builds what is needed, runs it, and prints the harness's table.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let harness = harness(context)?;
    let contestant = build_contestant(context, &harness)?;
    let Args { rounds, workloads, transports, contestants, allocs } = args;
    let (rounds, extra) = (rounds.to_string(), format!("bowline={}", contestant.display()));
    let allocs = allocs.then_some("--allocs");
    let script = harness.join("run.py");
    cmd!(context.shell, "python3 {script} --contestants {contestants} --extra {extra}")
        .args(["--transports", transports, "--workloads", workloads, "--rounds", &rounds])
        .args(allocs)
        .env("CARGO_TARGET_DIR", context.target.join("bench/harness"))
        .run()?;
    Ok(true)
}

fn harness(context: &Context) -> Result<PathBuf> {
    let dir = std::env::var_os("BOWLINE_BENCH_DIR").map_or_else(|| context.root.join("../shared/bench"), PathBuf::from);
    if !dir.join("run.py").is_file() {
        bail!("no benchmark harness at {}; set BOWLINE_BENCH_DIR to its folder", dir.display());
    }
    dir.canonicalize().with_context(|| format!("cannot enter {}", dir.display()))
}

/// Builds the contestant in a workspace of its own, so that the harness stays out of our lock file.
fn build_contestant(context: &Context, harness: &Path) -> Result<PathBuf> {
    let dir = context.target.join("bench/contestant");
    let template = context.shell.read_file("bench/contestant/Cargo.toml.in")?;
    let manifest = template
        .replace("@BOWLINE@", &context.root.display().to_string())
        .replace("@BENCH@", &harness.display().to_string());
    context.shell.create_dir(&dir)?;
    context.shell.write_file(dir.join("Cargo.toml"), manifest)?;
    let target = context.target.join("bench/built");
    cmd!(context.shell, "cargo build --quiet --release --manifest-path {dir}/Cargo.toml --target-dir {target}")
        .run()?;
    Ok(target.join("release/bowline-contestant"))
}
