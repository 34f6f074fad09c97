//! The scenarios for servers, against the mock server.

use std::process::Stdio;

use anyhow::Result;
use xshell::cmd;

use super::results::{self, Scenario};
use super::suite::Suite;
use crate::context::Context;
use crate::listening::Listening;

/// The runs: what each is called, and what it asks of the suite.
///
/// The requirements of a revision are run at its own wire, and with them what is optional there. The last run has
/// each scenario once, those of extensions too.
const RUNS: [(&str, [&str; 2]); 3] = [
    ("2025-11-25", ["--requirements", "2025-11-25"]),
    ("2026-07-28", ["--requirements", "2026-07-28"]),
    ("all", ["--suite", "all"]),
];

/// Runs all scenarios against a fresh server.
pub fn run(context: &Context, suite: &Suite) -> Result<Vec<Scenario>> {
    cmd!(context.shell, "cargo build --quiet --package bowline-tests --bin conformance-server").run()?;
    let server = start(context)?;
    let mut scenarios = Vec::new();
    for (name, what) in RUNS {
        let results = context.target.join("conformance/server").join(name);
        let args = ["server", "--url", server.address(), what[0], what[1]];
        // Whether it was content shows in its checks.
        let _ = suite.run(context, &args, &results)?;
        scenarios.extend(results::read(name, &results, "server-")?);
    }
    Ok(scenarios)
}

/// The server as a process of its own; it ends with its standard input as well.
fn start(context: &Context) -> Result<Listening> {
    let program = context.target.join("debug").join(format!("conformance-server{}", std::env::consts::EXE_SUFFIX));
    Listening::start(context.command(&program.to_string_lossy(), &[]).stdin(Stdio::piped()), "")
}
