//! A server as a child process that prints where it listens as its first line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// A server that runs, and ends with this.
pub struct Listening {
    child: Child,
    address: String,
}

impl Listening {
    /// Starts a server, and waits for its first line: its address, behind `before` where it has words before it.
    pub fn start(command: &mut Command, before: &str) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = command.stdout(Stdio::piped()).spawn();
        let mut child = started.with_context(|| format!("cannot start {program}"))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        // Made before anything can fail, so that the process ends with it.
        let mut this = Self { child, address: String::new() };
        read.with_context(|| format!("{program} has no output"))??;
        this.address = match line.trim().strip_prefix(before) {
            Some(address) if !address.is_empty() => address.to_owned(),
            _ => bail!("{program} did not print its address; it printed `{}`", line.trim()),
        };
        Ok(this)
    }

    /// What it printed.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Command, Listening};

    fn start(script: &str) -> anyhow::Result<Listening> {
        Listening::start(Command::new("sh").args(["-c", script]), "listening at ")
    }

    #[test]
    fn a_server_is_known_by_its_first_line_and_ends_with_its_handle() {
        let server = start("echo listening at 127.0.0.1:7; exec sleep 600").unwrap();
        assert_eq!(server.address(), "127.0.0.1:7");
        let id = server.id().to_string();
        let is_there = || Command::new("kill").args(["-0", &id]).status().unwrap().success();
        assert!(is_there());
        drop(server);
        assert!(!is_there());
    }

    #[test]
    fn one_that_prints_no_address_is_an_error() {
        for script in ["exit 0", "echo hello", "echo 'listening at '"] {
            let error = start(script).err().unwrap().to_string();
            assert!(error.contains("sh did not print its address"), "{script}: {error}");
        }
    }
}
