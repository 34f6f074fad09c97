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

    /// Runs the suite with these arguments; its checks are below `results`, what it says is in `results.log`.
    ///
    /// Whether it was content shows in its checks; here it fails only where it gave none.
    pub fn run(&self, context: &Context, args: &[&str], results: &Path) -> Result<()> {
        if results.exists() {
            fs::remove_dir_all(results)?;
        }
        fs::create_dir_all(results)?;
        let log_path = results.with_extension("log");
        let log = File::create(&log_path)?;
        let modules = self.folder.join("node_modules");
        let mut command = Command::new(modules.join(".bin/node"));
        command.arg(modules.join("@modelcontextprotocol/conformance/dist/index.js")).args(args).arg("-o").arg(results);
        command.current_dir(&context.root).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let status = command.status().context("cannot start the conformance suite")?;
        if fs::read_dir(results)?.next().is_none() {
            bail!("the conformance suite ended with {status} and no results; see {}", log_path.display());
        }
        Ok(())
    }
}
