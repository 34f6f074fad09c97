//! The scenarios for servers, against the mock server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use super::results::{self, Scenario};
use super::suite::Suite;
use crate::context::Context;

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
    let server = Server::start(context)?;
    let mut scenarios = Vec::new();
    for (name, what) in RUNS {
        let results = context.target.join("conformance/server").join(name);
        let args = ["server", "--url", &server.url, what[0], what[1]];
        // Whether it was content shows in its checks.
        let _ = suite.run(context, &args, &results)?;
        scenarios.extend(results::read(name, &results, "server-")?);
    }
    Ok(scenarios)
}

/// The server as a process of its own; it ends with its standard input, and with this.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(context: &Context) -> Result<Self> {
        let program = context.target.join("debug").join(format!("conformance-server{}", std::env::consts::EXE_SUFFIX));
        let mut command = context.command(&program.to_string_lossy(), &[]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("the server has no output")?;
        let mut server = Self { process, url: String::new() };
        // It writes one line or ends.
        BufReader::new(output).read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        if server.url.is_empty() {
            bail!("{} ended before it listened", program.display());
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
