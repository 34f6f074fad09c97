//! `cargo xtask examples --cold-start`: the function of `examples/serverless` beside the same in Python and TypeScript, as
//! whole processes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::bench::machine;
use crate::context::Context;
use crate::interop::{Registry, install_one};
use crate::listening::Listening;

/// Of each program; the first is not counted, as it fills the system's caches.
const ROUNDS: usize = 21;
const PYTHON: &str = "mcp==2.3.0";
const TYPESCRIPT: &str = "@modelcontextprotocol/client@2.4.0";

const PAGE: &str = "docs/src/cold-start.md";
const BEGIN: &str = "<!-- Written by `cargo xtask examples --cold-start --write` from here -->\n";
const END: &str = "<!-- to here -->\n";

/// One way to write the function.
struct Program {
    name: String,
    command: Vec<PathBuf>,
    /// Milliseconds of each run.
    took: Vec<f64>,
}

/// Measures, prints the table, and puts it into the book where that is asked for.
pub fn run(context: &Context, write: bool) -> Result<()> {
    let mut programs = programs(context)?;
    // The server that all of them call.
    let server = Listening::start(Command::new(ours(context)).arg("serve-http").stdin(Stdio::piped()), "")?;
    for round in 0..ROUNDS {
        // Each round in another order, so that none always runs after the same one.
        for at in 0..programs.len() {
            let turn = (at + round) % programs.len();
            let Some(program) = programs.get_mut(turn) else { continue };
            let took = once(&program.command, server.address()).with_context(|| program.name.clone())?;
            if round > 0 {
                program.took.push(took);
            }
        }
    }
    let table = table(&programs);
    print!("{table}");
    if write {
        let page = context.shell.read_file(PAGE)?;
        let marks = || format!("{PAGE} has lost the marks around its table");
        let (before, rest) = page.split_once(BEGIN).with_context(marks)?;
        let (_, after) = rest.split_once(END).with_context(marks)?;
        let text = format!("{before}{BEGIN}\n{}; {} runs each.\n\n{table}\n{END}{after}", machine()?, ROUNDS - 1);
        context.shell.write_file(PAGE, text)?;
    }
    Ok(())
}

/// Builds ours as it would be shipped, and installs what the others need.
fn programs(context: &Context) -> Result<Vec<Program>> {
    let status =
        context.command("cargo", &["build", "--release", "--package", "bowline-example-serverless"]).status()?;
    if !status.success() {
        bail!("the example does not compile");
    }
    let folder = context.target.join("cold-start");
    let sources = context.root.join("examples/serverless/counterparts");
    let (python, node) = (folder.join("python"), folder.join("node"));
    install_one(&python, &folder.join("cache"), Registry::Pypi, &[PYTHON.to_owned()])?;
    install_one(&node, &folder.join("cache"), Registry::Npm, &[TYPESCRIPT.to_owned()])?;
    // Node looks for packages beside the program's file.
    let script = node.join("function.mjs");
    std::fs::copy(sources.join("function.mjs"), &script)?;
    let program = |name: String, command: &[PathBuf]| Program { name, command: command.to_vec(), took: Vec::new() };
    Ok(vec![
        program("bowline".to_owned(), &[ours(context)]),
        program(format!("Python, `{PYTHON}`"), &[python.join("bin/python"), sources.join("function.py")]),
        program(format!("TypeScript, `{TYPESCRIPT}`"), &["node".into(), script]),
    ])
}

fn ours(context: &Context) -> PathBuf {
    context.target.join("release/bowline-example-serverless")
}

/// One process from its start to its end, in milliseconds.
fn once(command: &[PathBuf], url: &str) -> Result<f64> {
    let (program, arguments) = command.split_first().context("there is nothing to run")?;
    let mut command = Command::new(program);
    command.args(arguments).env("MCP_SERVER", url).stdin(Stdio::null());
    let started = Instant::now();
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("it printed no answer; {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
    })?;
    if printed.get("sum").and_then(serde_json::Value::as_f64) != Some(42.0) {
        bail!("it gave a wrong answer: {printed}");
    }
    Ok(took)
}

fn table(programs: &[Program]) -> String {
    let ours = programs.first().map(|program| median(&program.took)).unwrap_or_default();
    let mut table = String::from("| client | process, ms | beside bowline |\n|---|--:|--:|\n");
    for program in programs {
        let median = median(&program.took);
        table += &format!("| {} | {median:.1} | ×{:.1} |\n", program.name, median / ours);
    }
    table
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
