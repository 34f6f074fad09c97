//! Puts servers through their paces by the program `interop-probe` of `tests`, a process for each.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::servers::{Need, Registry, Server};
use super::together;
use crate::context::Context;

/// How many servers run at once.
const AT_ONCE: usize = 2;
/// When a probe is ended that does not end by itself; its own deadline is shorter.
const DEADLINE: Duration = Duration::from_secs(200);
/// The most that is read of what a probe found.
const MAX_FOUND_BYTES: u64 = 1 << 20;

/// What came of a server.
pub struct Row<'a> {
    pub server: &'a Server,
    pub outcome: Outcome,
}

/// What was found, or why nothing was.
pub enum Outcome {
    /// It was installed and run.
    Ran(Found),
    /// It could not be installed here.
    NotInstalled(String),
}

/// What `interop-probe` writes. A list is `null` where the server has no such thing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Found {
    pub revision: String,
    pub tools: Option<u64>,
    pub resources: Option<u64>,
    pub templates: Option<u64>,
    pub prompts: Option<u64>,
    pub notes: Vec<String>,
    pub oddities: Vec<String>,
    pub steps: Vec<String>,
    pub total_ms: u64,
    pub failure: Option<String>,
    /// What the call needed that is not here, so that it was left out.
    #[serde(skip)]
    pub lacked: Option<String>,
}

/// The program, and where servers are and work.
pub struct Probe {
    program: PathBuf,
    directory: PathBuf,
    scripts: String,
}

impl Probe {
    /// Builds it. `directory` has the servers.
    pub fn build(context: &Context, directory: &Path) -> Result<Self> {
        // The same packages and features as in `cargo xtask test`, so that nothing is built twice.
        let args = ["build", "--workspace", "--all-features", "--bin", "interop-probe"];
        let status = context.command("cargo", &args).status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the probe cannot be built: {status}");
        }
        Ok(Self {
            program: context.target.join("debug").join(format!("interop-probe{}", std::env::consts::EXE_SUFFIX)),
            directory: directory.to_owned(),
            scripts: context.root.join("tests/servers").display().to_string(),
        })
    }

    /// Runs the servers that were installed; the rows are in order.
    pub fn run<'a>(&self, context: &Context, servers: &[&'a Server], installed: Vec<Result<()>>) -> Vec<Row<'a>> {
        let lacked = |server: &Server| {
            server.needs.as_ref().filter(|need| !is_there(context, need)).map(|need| need.what.clone())
        };
        let jobs: Vec<_> =
            servers.iter().zip(installed).map(|(server, installed)| (*server, installed, lacked(server))).collect();
        together(AT_ONCE, &jobs, |(server, installed, lacked)| {
            let outcome = match installed {
                Err(error) => Outcome::NotInstalled(format!("{error:#}")),
                Ok(()) => Outcome::Ran(self.one(server, lacked.clone())),
            };
            Row { server, outcome }
        })
    }

    fn one(&self, server: &Server, lacked: Option<String>) -> Found {
        let plan = self.plan(server, lacked.is_some());
        let mut found = plan
            .and_then(|plan| found(&self.program, &plan))
            .unwrap_or_else(|error| Found { failure: Some(format!("{error:#}")), ..Found::default() });
        found.lacked = lacked;
        // What is shown does not depend on where it ran.
        let here = self.directory.display().to_string();
        for oddity in found.oddities.iter_mut().chain(&mut found.failure) {
            *oddity = oddity.replace(&here, "target/interop");
        }
        if found.failure.is_none() {
            found.failure = unexpected(server, &found);
        }
        println!("{:36} {}", server.name, found.failure.as_deref().unwrap_or("ok"));
        found
    }

    /// Makes the server's folder anew, and says what to do.
    fn plan(&self, server: &Server, without_call: bool) -> Result<Value> {
        let work = self.directory.join("work").join(&server.name);
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        fs::create_dir_all(&work)?;
        for (name, text) in &server.files {
            fs::write(work.join(name), text)?;
        }
        if server.git {
            let status =
                Command::new("git").args(["init", "--quiet", "--initial-branch", "main"]).current_dir(&work).status();
            if !status.context("cannot start git")?.success() {
                bail!("git cannot make a repository");
            }
        }
        let programs = match server.registry {
            Registry::Npm => "node_modules/.bin",
            Registry::Pypi => "bin",
        };
        let program = self.directory.join("servers").join(server.folder()).join(programs).join(&server.program);
        let mut env = server.env.clone();
        // What a server leaves behind stays in its folder.
        env.entry("HOME".to_owned()).or_insert_with(|| "{work}".to_owned());
        env.entry("TMPDIR".to_owned()).or_insert_with(|| "{work}".to_owned());
        let call = server.call.as_ref().filter(|_| !without_call);
        let mut plan = json!({
            "program": program, "args": server.args, "env": env, "work": work, "url": server.url,
            "call": call, "failing": server.failing, "progress": server.progress, "slow": server.slow,
        });
        fill(&mut plan, &work.display().to_string(), &self.scripts);
        Ok(plan)
    }
}

/// Puts the folders in their places, wherever text is.
fn fill(value: &mut Value, work: &str, scripts: &str) {
    match value {
        Value::String(text) => *text = text.replace("{work}", work).replace("{scripts}", scripts),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, work, scripts)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, work, scripts)),
        _ => {}
    }
}

/// Runs the probe with a plan.
fn found(probe: &Path, plan: &Value) -> Result<Found> {
    let mut command = Command::new(probe);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start the probe")?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("the probe has no pipes");
    };
    stdin.write_all(plan.to_string().as_bytes()).context("the probe does not read its plan")?;
    drop(stdin);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.take(MAX_FOUND_BYTES).read_to_string(&mut text).map(|_| text)
    });
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > DEADLINE {
            child.kill()?;
            child.wait()?;
            bail!("the probe did not end within {} s", DEADLINE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let text = match reader.join() {
        Ok(text) => text?,
        Err(_) => bail!("reading from the probe failed"),
    };
    serde_json::from_str(&text).context("the probe ended without a word of what it found; its output is above")
}

/// What is less than it should be.
fn unexpected(server: &Server, found: &Found) -> Option<String> {
    let expected = &server.expect;
    if found.revision != expected.revision {
        return Some(format!("it speaks {}, not {}", found.revision, expected.revision));
    }
    let counts = [
        ("tools", found.tools, expected.tools),
        ("resources", found.resources, expected.resources),
        ("templates", found.templates, expected.templates),
        ("prompts", found.prompts, expected.prompts),
    ];
    let fewer = counts.into_iter().find(|(_, found, expected)| found.unwrap_or(0) < *expected);
    fewer.map(|(what, found, expected)| format!("{} {what}, and {expected} at least were expected", found.unwrap_or(0)))
}

/// Whether what a call needs is on this machine.
fn is_there(context: &Context, need: &Need) -> bool {
    let listens = |port: u16| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    };
    match (need.port, &need.program) {
        (Some(port), _) => listens(port),
        (None, Some(program)) => context.has(program, &["--version"]),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let json = json!({
            "name": "knots", "registry": "npm", "pins": ["knots@1"], "program": "knots",
            "expect": { "revision": "2025-11-25", "tools": 2 },
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn less_than_was_expected_is_told() {
        let found = |revision: &str, tools| Found { revision: revision.to_owned(), tools, ..Found::default() };
        assert_eq!(unexpected(&server(), &found("2025-11-25", Some(3))), None);
        assert!(unexpected(&server(), &found("2025-11-25", Some(1))).unwrap().contains("1 tools"));
        assert!(unexpected(&server(), &found("2025-11-25", None)).unwrap().contains("0 tools"));
        assert!(unexpected(&server(), &found("2025-06-18", Some(3))).unwrap().contains("2025-06-18"));
    }

    #[test]
    fn folders_are_filled_in_wherever_text_is() {
        let mut plan = json!({ "args": ["--db", "{work}/x"], "call": { "args": { "path": "{scripts}" } }, "n": 1 });
        fill(&mut plan, "/w", "/s");
        assert_eq!(plan, json!({ "args": ["--db", "/w/x"], "call": { "args": { "path": "/s" } }, "n": 1 }));
    }
}
