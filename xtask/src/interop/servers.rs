//! The pinned servers: which there are is data, `xtask/interop/*.jsonl`, a server a line.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A published server, and what is done with it.
///
/// In `args`, `env`, `url` and what is called, `{work}` stands for its fresh folder, `{scripts}` for `tests/servers`
/// and, where it listens, `{port}` for its port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its short name: its folder, its row, and the start of its scenario's name.
    pub name: String,
    /// Where its packages come from.
    pub registry: Registry,
    /// What is installed, each with its version.
    pub pins: Vec<String>,
    /// Whether it has a scenario in `tests/it/interop.rs`, which runs in CI.
    #[serde(default)]
    pub core: bool,
    /// The server whose installation it shares, for another transport of the same.
    #[serde(default)]
    of: Option<String>,
    /// Its command, as its packages install it.
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files that have to be in its folder.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Whether its folder has to be a git repository.
    #[serde(default)]
    pub git: bool,
    /// Where it listens; none over stdio.
    #[serde(default)]
    pub url: Option<String>,
    /// What must be found.
    pub expect: Expected,
    /// A call that has to do.
    #[serde(default)]
    pub call: Option<Call>,
    /// A call that has to fail.
    #[serde(default)]
    pub failing: Option<Call>,
    /// A call that tells its progress.
    #[serde(default)]
    pub progress: Option<Call>,
    /// A call that would take long, and is given up.
    #[serde(default)]
    pub slow: Option<Call>,
    /// What a call needs that is not in the packages.
    #[serde(default)]
    pub needs: Option<Need>,
}

/// A package registry, and with it the program that the server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// Node.js.
    Npm,
    /// Python.
    Pypi,
}

/// What must be found: the revision, and how many of each at least.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub revision: String,
    #[serde(default)]
    pub tools: u64,
    #[serde(default)]
    pub resources: u64,
    #[serde(default)]
    pub templates: u64,
    #[serde(default)]
    pub prompts: u64,
}

/// A call of a tool, and text that its answer must have.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub tool: String,
    #[serde(default)]
    pub args: Map<String, Value>,
    #[serde(default)]
    pub text: String,
}

/// What a call needs, and how to see whether it is there. Without a sign it is never there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// In plain words.
    pub what: String,
    /// A port of this machine on which it listens.
    #[serde(default)]
    pub port: Option<u16>,
    /// A program that answers `--version`.
    #[serde(default)]
    pub program: Option<String>,
}

impl Server {
    /// The name of the folder where its packages are.
    pub fn folder(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.name)
    }

    /// How it is spoken to.
    pub fn transport(&self) -> &'static str {
        match self.url.as_deref() {
            None => "stdio",
            Some(url) if url.starts_with("ws") => "WebSocket",
            Some(url) if url.ends_with("/sse") => "HTTP+SSE",
            Some(_) => "Streamable HTTP",
        }
    }
}

/// All published servers of `xtask/interop/servers.jsonl`.
pub fn all() -> Result<Vec<Server>> {
    read("servers.jsonl", include_str!("../../interop/servers.jsonl"))
}

/// The servers of `xtask/interop/revisions.jsonl`, by the revision that each speaks of itself.
pub fn of_each_revision() -> Result<Vec<Server>> {
    read("revisions.jsonl", include_str!("../../interop/revisions.jsonl"))
}

fn read(file: &str, lines: &str) -> Result<Vec<Server>> {
    let server =
        |(n, line)| serde_json::from_str(line).with_context(|| format!("xtask/interop/{file}, line {}", n + 1));
    lines.lines().enumerate().map(server).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_lists_can_be_read_and_name_each_server_once() {
        for list in [all().unwrap(), of_each_revision().unwrap()] {
            let names: BTreeSet<_> = list.iter().map(|server| &server.name).collect();
            assert_eq!(names.len(), list.len());
            for server in &list {
                assert!(list.iter().any(|other| other.name == server.folder()), "{} shares with nobody", server.name);
                assert!(server.call.is_some() || server.needs.is_some(), "{}: neither call nor need", server.name);
            }
        }
    }

    #[test]
    fn every_revision_has_servers() {
        let revisions: BTreeSet<_> =
            of_each_revision().unwrap().into_iter().map(|server| server.expect.revision).collect();
        let all = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
        assert!(all.iter().all(|revision| revisions.contains(*revision)), "{revisions:?}");
    }
}
