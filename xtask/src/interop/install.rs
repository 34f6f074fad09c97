//! Puts each server into a folder of its own, once for each pin.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::servers::{Registry, Server};
use crate::context::Context;
use crate::report::Report;

/// Installs what this machine can run; the answer is what is there now.
pub fn install<'a>(
    context: &Context,
    directory: &Path,
    servers: &[&'a Server],
    report: &mut Report,
) -> Result<Vec<&'a Server>> {
    let mut installed = Vec::new();
    for registry in [Registry::Npm, Registry::Pypi] {
        let of_registry: Vec<_> = servers.iter().copied().filter(|server| server.registry == registry).collect();
        if of_registry.is_empty() {
            continue;
        }
        let names = of_registry.iter().map(|server| server.name).collect::<Vec<_>>().join(", ");
        if let Some(packages) = lacks(context, registry) {
            report.missing(&format!("interop with {names}"), &format!("install with `apt-get install {packages}`"));
            continue;
        }
        for server in of_registry {
            install_one(context, &directory.join("servers").join(server.name), server)
                .with_context(|| format!("cannot install {}", server.pins.join(" ")))?;
            installed.push(server);
        }
    }
    Ok(installed)
}

/// The Debian packages that a registry's servers need and this machine has not.
fn lacks(context: &Context, registry: Registry) -> Option<&'static str> {
    let (there, packages) = match registry {
        Registry::Npm => (context.has("node", &["--version"]) && context.has("npm", &["--version"]), "nodejs npm"),
        Registry::Pypi => (context.has("python3", &["-c", "import venv, ensurepip"]), "python3 python3-venv"),
    };
    (!there).then_some(packages)
}

/// The stamp is written last, so that a broken install is done again.
fn install_one(context: &Context, folder: &Path, server: &Server) -> Result<()> {
    let stamp = folder.join("pins.txt");
    let pins = server.pins.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == pins) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let (shell, pinned) = (&context.shell, server.pins);
    match server.registry {
        Registry::Npm => {
            fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
            // No install scripts: they fetch and compile what none of these servers needs to run.
            let options = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"];
            cmd!(shell, "npm install --prefix {folder} {options...} {pinned...}").run()?;
        }
        Registry::Pypi => {
            cmd!(shell, "python3 -m venv {folder}").run()?;
            let pip = folder.join("bin/pip");
            cmd!(shell, "{pip} install --quiet --disable-pip-version-check {pinned...}").run()?;
        }
    }
    fs::write(stamp, pins)?;
    Ok(())
}
