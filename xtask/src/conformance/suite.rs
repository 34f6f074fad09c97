//! The suite: installed once, and run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::context::Context;
use crate::report::Report;

/// The suite, and the Node.js that it needs, whatever this machine has.
const PINS: [&str; 2] = ["node@22.23.3", "@modelcontextprotocol/conformance@0.2.0-alpha.12"];

/// An installed suite.
pub struct Suite {
    folder: PathBuf,
}

impl Suite {
    /// Installs the suite under the target directory; none where this machine cannot.
    pub fn install(context: &Context, report: &mut Report) -> Result<Option<Self>> {
        let suite = Self { folder: context.target.join("conformance/suite") };
        let stamp = suite.folder.join("pins.txt");
        let pins = PINS.join("\n");
        if fs::read_to_string(&stamp).is_ok_and(|there| there == pins) {
            return Ok(Some(suite));
        }
        if !context.has("npm", &["--version"]) {
            report.missing("the conformance suite", "install with `apt-get install nodejs npm`");
            return Ok(None);
        }
        if suite.folder.exists() {
            fs::remove_dir_all(&suite.folder)?;
        }
        fs::create_dir_all(&suite.folder)?;
        fs::write(suite.folder.join("package.json"), "{ \"private\": true }\n")?;
        // The package `node` brings its program by its install script, so scripts are not left out here.
        let options = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error"];
        let folder = &suite.folder;
        cmd!(context.shell, "npm install --prefix {folder} {options...} {PINS...}")
            .run()
            .with_context(|| format!("cannot install {}", PINS.join(" ")))?;
        // Written last, so that a broken install is done again.
        fs::write(stamp, pins)?;
        Ok(Some(suite))
    }

    /// The scenarios for clients, each with the revisions that it is for; one of an extension is for `extension`.
    pub fn client_scenarios(&self, context: &Context) -> Result<Vec<(String, Vec<String>)>> {
        let output = self.command(context, &["list", "--client"]).stdin(Stdio::null()).output()?;
        let listed = listed(&String::from_utf8_lossy(&output.stdout));
        if !output.status.success() || listed.is_empty() {
            bail!("the conformance suite ended with {} and listed no scenario", output.status);
        }
        Ok(listed)
    }

    /// Runs the suite with these arguments; its checks are below `results`, what it says is in `results.log`.
    ///
    /// The answer is whether it was content. It fails only where the suite gave no checks.
    pub fn run(&self, context: &Context, args: &[&str], results: &Path) -> Result<bool> {
        if results.exists() {
            fs::remove_dir_all(results)?;
        }
        fs::create_dir_all(results)?;
        let log_path = results.with_extension("log");
        let log = File::create(&log_path)?;
        let mut command = self.command(context, args);
        command.arg("-o").arg(results).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let status = command.status().context("cannot start the conformance suite")?;
        if fs::read_dir(results)?.next().is_none() {
            bail!("the conformance suite ended with {status} and no results; see {}", log_path.display());
        }
        Ok(status.success())
    }

    fn command(&self, context: &Context, args: &[&str]) -> Command {
        let modules = self.folder.join("node_modules");
        let mut command = Command::new(modules.join(".bin/node"));
        command.arg(modules.join("@modelcontextprotocol/conformance/dist/index.js")).args(args);
        command.current_dir(&context.root);
        command
    }
}

/// Reads a list of scenarios: a line for each, such as `  - tools_call [2025-06-18,2025-11-25]`.
fn listed(text: &str) -> Vec<(String, Vec<String>)> {
    let scenario = |line: &str| {
        let (name, revisions) = line.trim().strip_prefix("- ")?.split_once(" [")?;
        let revisions = revisions.strip_suffix(']')?.split(',').map(|revision| revision.trim().to_owned());
        Some((name.to_owned(), revisions.collect()))
    };
    text.lines().filter_map(scenario).collect()
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn a_list_names_the_revisions_of_each_scenario() {
        let text = "Client scenarios (test against a client):\n  - a/b [2025-06-18,2026-07-28]\n  - c [extension]\n\n";
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let expected =
            [("a/b".to_owned(), strings(&["2025-06-18", "2026-07-28"])), ("c".to_owned(), strings(&["extension"]))];
        assert_eq!(listed(text), expected);
    }
}
