//! `cargo xtask bench`: bowline beside a hand-written client and other libraries, in one run.
//!
//! The harness is another project: `BOWLINE_BENCH_DIR`, by default `../shared/bench` beside the workspace. It is
//! built under the target directory; so is the contestant, whose source is `bench/contestant`. What is measured is
//! kept there too, a file a piece, so that a full run can be made in pieces; the table is made of all that is kept.

mod cold;
mod footprint;
mod goals;
mod page;
mod rows;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

pub use self::page::machine;
use crate::context::Context;

/// How to run the benchmarks.
#[derive(clap::Args)]
pub struct Args {
    /// Rounds, interleaved; a figure is the median, a ratio the median of the rounds' own.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Workloads of the harness, by its names; each replaces what was kept of it.
    #[arg(long, default_value = "w1,w2,w3,w4,w5,w6,w7,w8,w9")]
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
    /// With w8: also builds every contestant from nothing and takes the time. Minutes each.
    #[arg(long)]
    clean_build: bool,
    /// Runs nothing: prints the table of what is kept.
    #[arg(long)]
    table: bool,
    /// Writes the table to the page of the book as well.
    #[arg(long)]
    write: bool,
}

/// What is built, and where what is measured is kept.
struct Bench<'a> {
    context: &'a Context,
    harness: PathBuf,
    /// Where the harness is built.
    built: PathBuf,
    contestant: PathBuf,
    data: PathBuf,
    args: &'a Args,
}

/// Builds what is needed, runs it, and prints the table with the goals.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let data = context.target.join("bench/data");
    context.shell.create_dir(&data)?;
    if !args.table {
        let harness = harness(context)?;
        let contestant = build_contestant(context, &harness)?;
        let built = context.target.join("bench/harness");
        let bench = Bench { context, harness, built, contestant, data: data.clone(), args };
        bench.build()?;
        if args.allocs { bench.count_allocations()? } else { bench.measure()? }
    }
    let rows = rows::Rows::read(&data)?;
    let table = table::of(&rows);
    println!("{table}");
    if args.write {
        page::write(context, &rows, &table)?;
    }
    Ok(true)
}

impl Bench<'_> {
    /// Builds the harness's server and its contestants, one by one: features of one must not leak into another.
    fn build(&self) -> Result<()> {
        let names: Vec<_> = self.args.contestants.split(',').map(package_of).collect();
        for package in ["bench-server"].into_iter().chain(names) {
            let _dir = self.context.shell.push_dir(&self.harness);
            cmd!(self.context.shell, "cargo build --release --quiet --package {package}")
                .env("CARGO_TARGET_DIR", &self.built)
                .run()?;
        }
        Ok(())
    }

    fn measure(&self) -> Result<()> {
        for workload in self.args.workloads.split(',') {
            match workload {
                // Over stdio the kernel's choice where to wake the peer decides between two modes: one processor,
                // one thread, and the processor time alone are comparable.
                "w1" => {
                    let others: Vec<_> = self.transports().filter(|transport| *transport != "stdio").collect();
                    if self.transports().any(|transport| transport == "stdio") {
                        self.harness_run("w1-stdio", "w1", "stdio", &["--pin", "0", "--runtime", "current"])?;
                    }
                    if !others.is_empty() {
                        self.harness_run("w1", "w1", &others.join(","), &[])?;
                    }
                }
                "w5" => cold::measure(self)?,
                "w8" => footprint::measure(self)?,
                other => self.harness_run(other, other, &self.args.transports, &[])?,
            }
        }
        Ok(())
    }

    fn count_allocations(&self) -> Result<()> {
        let timed: Vec<_> =
            self.args.workloads.split(',').filter(|workload| !["w5", "w7", "w8"].contains(workload)).collect();
        self.harness_run("allocs", &timed.join(","), &self.args.transports, &["--allocs"])
    }

    /// Runs a piece with the harness's own script, and keeps its rows.
    fn harness_run(&self, piece: &str, workloads: &str, transports: &str, more: &[&str]) -> Result<()> {
        let (script, contestants) = (self.harness.join("run.py"), &self.args.contestants);
        let (rounds, file) = (self.args.rounds.to_string(), self.piece(piece)?);
        let extra = format!("bowline={}", self.contestant.display());
        cmd!(self.context.shell, "python3 {script} --no-build --contestants {contestants} --extra {extra}")
            .args(["--workloads", workloads, "--transports", transports, "--rounds", &rounds])
            .arg("--json")
            .arg(file)
            .args(more)
            .env("CARGO_TARGET_DIR", &self.built)
            .ignore_stdout()
            .run()?;
        Ok(())
    }

    /// An empty file for a piece, in place of what was kept of it.
    fn piece(&self, name: &str) -> Result<PathBuf> {
        let file = self.data.join(name).with_extension("jsonl");
        self.context.shell.remove_path(&file)?;
        Ok(file)
    }

    fn transports(&self) -> impl Iterator<Item = &str> {
        self.args.transports.split(',')
    }

    /// Name and program of each contestant, bowline last.
    fn contestants(&self) -> Vec<(&str, PathBuf)> {
        let theirs = self.args.contestants.split(',').map(|name| (name, self.built.join("release").join(name)));
        theirs.chain([("bowline", self.contestant.clone())]).collect()
    }
}

/// The package of the harness that a contestant is.
fn package_of(name: &str) -> &str {
    match name {
        "rmcp" => "rmcp-contestant",
        "tower-mcp" => "tower-mcp-contestant",
        name => name,
    }
}

fn harness(context: &Context) -> Result<PathBuf> {
    let dir = std::env::var_os("BOWLINE_BENCH_DIR").map_or_else(|| context.root.join("../shared/bench"), PathBuf::from);
    if !dir.join("run.py").is_file() {
        bail!("no benchmark harness at {}; set BOWLINE_BENCH_DIR to its folder", dir.display());
    }
    dir.canonicalize().with_context(|| format!("cannot enter {}", dir.display()))
}

/// Where the contestant's workspace is made.
fn contestant_dir(context: &Context) -> PathBuf {
    context.target.join("bench/contestant")
}

/// Builds the contestant in a workspace of its own, so that the harness stays out of our lock file.
fn build_contestant(context: &Context, harness: &Path) -> Result<PathBuf> {
    let dir = contestant_dir(context);
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
