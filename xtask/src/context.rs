//! Where the workspace is, what is in it, and what this machine has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// What every chore is handed.
pub struct Context {
    /// A shell whose working directory is the root of the workspace.
    pub shell: Shell,
    /// The root of the workspace.
    pub root: PathBuf,
    /// The target directory, which `CARGO_TARGET_DIR` may have moved.
    pub target: PathBuf,
    /// The members of the workspace.
    pub packages: Vec<Package>,
    /// Whether `CI=true`: what is missing is an error then.
    pub ci: bool,
}

/// A member of the workspace, as `cargo metadata` tells it.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub manifest_path: PathBuf,
    pub rust_version: Option<String>,
    pub features: serde_json::Map<String, serde_json::Value>,
    pub dependencies: Vec<Dependency>,
}

/// A dependency of a [`Package`].
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for a normal one, otherwise `"dev"` or `"build"`.
    pub kind: Option<String>,
    /// The folder, for a member of the workspace.
    pub path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

impl Context {
    /// Asks cargo for the workspace that this program belongs to.
    pub fn load() -> Result<Self> {
        let shell = Shell::new()?;
        // Asked at run time: the program may have been built for another clone that shares the target directory.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        shell.change_dir(Path::new(&here).join(".."));
        let json = cmd!(shell, "cargo metadata --no-deps --format-version 1").quiet().read()?;
        let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata printed an unknown shape")?;
        shell.change_dir(&metadata.workspace_root);
        Ok(Self {
            shell,
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages: metadata.packages,
            ci: std::env::var("CI").is_ok_and(|value| value == "true"),
        })
    }

    /// A command that runs at the root.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root);
        command
    }

    /// Tells whether a program is there: it starts and ends well.
    pub fn has(&self, program: &str, args: &[&str]) -> bool {
        let mut command = self.command(program, args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Tells whether cargo-nextest is there.
    pub fn has_nextest(&self) -> bool {
        self.has("cargo", &["nextest", "--version"])
    }
}
