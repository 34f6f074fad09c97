//! Puts each server into a folder of its own, once for each pin.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::servers::{Registry, Server};
use super::together;
use crate::context::Context;
use crate::report::Report;

/// How many are installed at once.
const AT_ONCE: usize = 3;
/// How much of a failed command's output is shown.
const SHOWN_CHARS: usize = 300;

/// Installs what this machine can run, and tells of each server what came of it, in order. What is missing here is
/// noted in `report`, and said of the servers that need it.
pub fn install(
    context: &Context,
    directory: &Path,
    servers: &[&Server],
    report: &mut Report,
) -> Result<Vec<Result<()>>> {
    let mut lacking = Vec::new();
    for registry in [Registry::Npm, Registry::Pypi] {
        let names: Vec<_> = servers.iter().filter(|it| it.registry == registry).map(|it| it.name.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        if let Some(packages) = lacks(context, registry) {
            let remedy = format!("install with `apt-get install {packages}`");
            report.missing(&format!("interop with {}", names.join(", ")), &remedy);
            lacking.push((registry, packages));
        }
    }
    let cache = directory.join("cache");
    // Two that share a folder must not fill it at once.
    let mut folders = BTreeSet::new();
    let first: Vec<_> = servers.iter().copied().filter(|server| folders.insert(server.folder())).collect();
    let outcomes = together(AT_ONCE, &first, |server| {
        if let Some((_, packages)) = lacking.iter().find(|(registry, _)| *registry == server.registry) {
            bail!("{packages} are not on this machine");
        }
        install_one(&directory.join("servers").join(server.folder()), &cache, server.registry, &server.pins)
    });
    remove(&cache)?;
    let of = |server: &&Server| {
        let at = first.iter().position(|other| other.folder() == server.folder());
        match at.and_then(|at| outcomes.get(at)) {
            Some(Err(error)) => bail!("{error:#}"),
            _ => Ok(()),
        }
    };
    Ok(servers.iter().map(of).collect())
}

/// Installs a package of npm that is no server; false where this machine cannot, which is noted in `report`.
pub fn install_package(
    context: &Context,
    directory: &Path,
    name: &str,
    pins: &[String],
    report: &mut Report,
) -> Result<bool> {
    if let Some(packages) = lacks(context, Registry::Npm) {
        report.missing(&format!("interop with {name}"), &format!("install with `apt-get install {packages}`"));
        return Ok(false);
    }
    let cache = directory.join("cache");
    let installed = install_one(&directory.join("servers").join(name), &cache, Registry::Npm, pins);
    remove(&cache)?;
    installed.map(|()| true)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// The Debian packages that a registry's servers need and this machine has not.
fn lacks(context: &Context, registry: Registry) -> Option<&'static str> {
    let (there, packages) = match registry {
        Registry::Npm => (context.has("node", &["--version"]) && context.has("npm", &["--version"]), "nodejs npm"),
        Registry::Pypi => (context.has("python3", &["-c", "import venv, ensurepip"]), "python3 python3-venv"),
    };
    (!there).then_some(packages)
}

/// Fills a folder with these packages, unless it has them. The stamp is written last, so that a broken install is done
/// again.
pub fn install_one(folder: &Path, cache: &Path, registry: Registry, pins: &[String]) -> Result<()> {
    fill(folder, cache, registry, pins).with_context(|| format!("cannot install {}", pins.join(" ")))
}

fn fill(folder: &Path, cache: &Path, registry: Registry, packages: &[String]) -> Result<()> {
    let stamp = folder.join("pins.txt");
    let pins = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == pins) {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    remove(folder)?;
    fs::create_dir_all(folder)?;
    match registry {
        Registry::Npm => {
            fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
            let mut npm = Command::new("npm");
            npm.arg("install").arg("--prefix").arg(folder).arg("--cache").arg(cache.join("npm"));
            // No install scripts: they fetch and compile what none of these servers needs to run.
            npm.args(["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"]);
            run(npm.args(packages))?;
        }
        Registry::Pypi => {
            run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--cache-dir"]).arg(cache.join("pip"));
            run(pip.args(packages))?;
        }
    }
    fs::write(stamp, pins)?;
    Ok(())
}

/// Runs a command in silence; the end of what it said is in the error.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = said.chars().count().saturating_sub(SHOWN_CHARS);
    bail!("{}: {}", output.status, said.chars().skip(skipped).collect::<String>())
}
