//! Programs that servers are started with: whether they are there.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use bowline::config::{Configuration, Server, Surroundings, Transport};

use super::finding::{Check, Finding, Findings, Severity};
use crate::exit::Code;
use crate::sanitize;

/// A kind of program that servers are written for, or come in.
struct Kind {
    title: &'static str,
    /// What is started; the first stands for all.
    programs: &'static [&'static str],
    /// Whether to say that it is missing where no server wants it: most servers are for one of these.
    common: bool,
    linux: &'static str,
    mac: &'static str,
    windows: &'static str,
}

const KINDS: [Kind; 7] = [
    Kind {
        title: "Node.js",
        programs: &["npx", "node", "npm", "pnpm", "yarn"],
        common: true,
        linux: "sudo apt install nodejs npm   (or see https://nodejs.org/en/download)",
        mac: "brew install node",
        windows: "winget install OpenJS.NodeJS.LTS",
    },
    Kind {
        title: "uv",
        programs: &["uvx", "uv"],
        common: true,
        linux: "curl -LsSf https://astral.sh/uv/install.sh | sh",
        mac: "brew install uv",
        windows: "winget install astral-sh.uv",
    },
    Kind {
        title: "Python",
        programs: &["python3", "python", "pipx"],
        common: true,
        linux: "sudo apt install python3",
        mac: "brew install python",
        windows: "winget install Python.Python.3.13",
    },
    Kind {
        title: "Docker",
        programs: &["docker"],
        common: false,
        linux: "curl -fsSL https://get.docker.com | sh",
        mac: "brew install --cask docker",
        windows: "winget install Docker.DockerDesktop",
    },
    Kind {
        title: "Podman",
        programs: &["podman"],
        common: false,
        linux: "sudo apt install podman",
        mac: "brew install podman",
        windows: "winget install RedHat.Podman",
    },
    Kind {
        title: "Bun",
        programs: &["bunx", "bun"],
        common: false,
        linux: "curl -fsSL https://bun.sh/install | bash",
        mac: "brew install oven-sh/bun/bun",
        windows: "winget install Oven-sh.Bun",
    },
    Kind {
        title: "Deno",
        programs: &["deno"],
        common: false,
        linux: "curl -fsSL https://deno.land/install.sh | sh",
        mac: "brew install deno",
        windows: "winget install DenoLand.Deno",
    },
];

impl Kind {
    fn of(program: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.programs.contains(&program))
    }

    /// How it is installed here.
    const fn way_out(&self) -> &'static str {
        if cfg!(windows) {
            self.windows
        } else if cfg!(target_os = "macos") {
            self.mac
        } else {
            self.linux
        }
    }
}

/// Looks for the program of each server that is meant, and for those that most servers want. Gives the servers whose
/// program is missing: there is no use in starting them.
pub(super) fn look(
    config: &Configuration,
    is_meant: impl Fn(&Server) -> bool,
    is_for_all: bool,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let around = Surroundings::of_process();
    let mut missing = BTreeSet::new();
    let mut told: BTreeSet<&'static str> = BTreeSet::new();
    for server in config.servers().iter().filter(|server| server.enabled && is_meant(server)) {
        let Transport::Stdio(stdio) = &server.transport else { continue };
        // What has variables in it is told by whoever fills them in.
        let program = stdio.shown_program(&around);
        let own_path = stdio.env.iter().any(|(name, _)| name.eq_ignore_ascii_case("PATH"));
        if program.contains("${") || own_path || stdio.cwd.is_some() && program.contains('/') {
            continue;
        }
        let kind = Kind::of(stem(&program));
        match find(&program) {
            Some(path) => {
                if let Some(kind) = kind.filter(|kind| told.insert(kind.title)) {
                    findings.push(present(kind, &path));
                }
            }
            None => {
                missing.insert(server.name.clone());
                let message = format!("its program `{}` is not in PATH", sanitize::line(&program));
                let finding = Finding::error(Check::Program, Code::Connect, &server.name, message).at(&server.place);
                findings.push(match kind {
                    Some(kind) => {
                        told.insert(kind.title);
                        finding.fix(kind.way_out())
                    }
                    None => finding.fix("install it, or write its full path into the file"),
                });
            }
        }
    }
    for kind in KINDS.iter().filter(|kind| is_for_all && kind.common && !told.contains(kind.title)) {
        let found = kind.programs.iter().find_map(|program| find(program));
        findings.push(match found {
            Some(path) => present(kind, &path),
            None => {
                let message = format!(
                    "there is no `{}` in PATH; no server wants it so far",
                    kind.programs.first().unwrap_or(&kind.title)
                );
                Finding::new(Severity::Note, Check::Program, kind.title, message).fix(kind.way_out())
            }
        });
    }
    missing
}

fn present(kind: &Kind, path: &Path) -> Finding {
    Finding::new(Severity::Fine, Check::Program, kind.title, path.to_string_lossy())
}

/// The name of a program without its folder and, as on Windows, without its ending.
fn stem(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let ending = |name: &str| {
        name.rfind('.').filter(|at| ["exe", "cmd", "bat"].contains(&name.get(at + 1..).unwrap_or_default()))
    };
    ending(name).map_or(name, |at| name.get(..at).unwrap_or(name))
}

/// Where a program is, looked for as the system does.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') || program.contains('\\') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    find_in(program, &env::var_os("PATH").unwrap_or_default())
}

fn find_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd", ".bat", ".com"] } else { &[""] };
    let with = |folder: &Path, ending: &str| {
        let mut name = OsString::from(program);
        name.push(ending);
        folder.join(name)
    };
    env::split_paths(path)
        .flat_map(|folder| endings.iter().map(move |ending| with(&folder, ending)))
        .find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_name_wherever_it_is() {
        assert_eq!((stem("/usr/bin/npx"), stem(r"C:\x\npx.cmd"), stem("a.b")), ("npx", "npx", "a.b"));
        assert_eq!(Kind::of("uvx").map(|kind| kind.title), Some("uv"));
        assert!(Kind::of("my-server").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn only_what_can_be_started_is_found() {
        assert!(find_in("sh", OsStr::new("/nowhere:/bin:/usr/bin")).is_some());
        assert!(find_in("sh", OsStr::new("")).is_none() && find_in("passwd", OsStr::new("/etc")).is_none());
        assert!(find("/etc/passwd").is_none() && find("/bin/sh").is_some());
    }
}
