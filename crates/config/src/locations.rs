//! Where the files of each host are.

use std::path::PathBuf;

use crate::{Host, Surroundings, System};

/// Whom a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// Named by the caller.
    Given,
    /// One person, in one project.
    Local,
    /// Everybody who works on a project: not to be run before the person trusts the folder.
    Project,
    /// One person.
    User,
}

impl Scope {
    /// The word for it: `project`, `user`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Local => "local",
            Self::Project => "project",
            Self::User => "user",
        }
    }
}

/// A place where a host has a file, whether there is one or not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// Whose file it is.
    pub host: Host,
    /// Whom it is for.
    pub scope: Scope,
    /// The file, or the folder where [`extensions`](Self::extensions) is not empty.
    pub path: PathBuf,
    /// For a folder, the extensions of the files in it that count; empty for a file.
    pub extensions: &'static [&'static str],
    /// For a folder of folders, the name of the file in each of them that counts.
    pub in_each: Option<&'static str>,
}

/// How many files of one folder are read.
const MAX_IN_FOLDER: usize = 200;
/// How many names of one folder are looked at.
const MAX_NAMES: usize = 10_000;

/// The files that a [`Location`] stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Files {
    /// Those that count, by name; of a folder at most 200.
    pub paths: Vec<PathBuf>,
    /// Whether the folder has more than that.
    pub is_cut: bool,
}

impl Location {
    /// Whether it is a folder whose files count, and not a file.
    pub const fn is_folder(&self) -> bool {
        !self.extensions.is_empty() || self.in_each.is_some()
    }

    /// The files: the path itself, whether there is such a file or not, or what a look into the folder finds. A folder that
    /// cannot be read has none.
    pub fn files(&self) -> Files {
        if !self.is_folder() {
            return Files { paths: vec![self.path.clone()], is_cut: false };
        }
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Files::default() };
        let mut names = 0;
        let found =
            entries.take(MAX_NAMES + 1).inspect(|_| names += 1).filter_map(|entry| self.counts(entry.ok()?.path()));
        let mut paths: Vec<PathBuf> = found.collect();
        paths.sort_unstable();
        let is_cut = names > MAX_NAMES || paths.len() > MAX_IN_FOLDER;
        paths.truncate(MAX_IN_FOLDER);
        Files { paths, is_cut }
    }

    /// The file that counts of an entry of the folder.
    fn counts(&self, path: PathBuf) -> Option<PathBuf> {
        if let Some(name) = self.in_each {
            return path.is_dir().then(|| path.join(name));
        }
        let extension = path.extension().and_then(|extension| extension.to_str())?;
        self.extensions.contains(&extension).then_some(path)
    }
}

/// Where a host's files are in these surroundings, those that win first. Nothing is looked at.
///
/// Hosts that keep their servers elsewhere, or on another machine, have none.
pub fn locations(host: Host, around: &Surroundings) -> Vec<Location> {
    let mut found = Vec::new();
    let mut add = |scope, path: Option<String>, extensions: &'static [&'static str]| {
        found.extend(path.map(|path| Location { host, scope, path: path.into(), extensions, in_each: None }));
    };
    let project = |names: &[&str]| around.folder().map(|folder| around.join(folder, names));
    let home = |names: &[&str]| around.in_home(names);
    let data = |names: &[&str]| around.app_data().map(|data| around.join(&data, names));
    let config = |names: &[&str]| around.xdg_config().map(|config| around.join(&config, names));
    let windows = around.system() == System::Windows;
    let moved = |variable: &str, default: &str, names: &[&str]| match around.filled(variable) {
        Some(folder) => Some(around.join(folder, names)),
        None => around.in_home(&[default]).map(|folder| around.join(&folder, names)),
    };
    use Scope::{Project, User};
    match host {
        Host::Bowline => {
            add(Project, project(&["bowline.toml"]), &[]);
            add(User, bowline_user(around), &[]);
        }
        Host::ClaudeCode => {
            add(Project, project(&[".mcp.json"]), &[]);
            // `CLAUDE_CONFIG_DIR` moves the folder and this file into it.
            let user = around.filled("CLAUDE_CONFIG_DIR").map(|folder| around.join(folder, &[".claude.json"]));
            add(User, user.or_else(|| home(&[".claude.json"])), &[]);
        }
        Host::ClaudeDesktop => add(User, data(&["Claude", "claude_desktop_config.json"]), &[]),
        Host::Cursor => {
            add(Project, project(&[".cursor", "mcp.json"]), &[]);
            add(User, home(&[".cursor", "mcp.json"]), &[]);
        }
        Host::VsCode => {
            add(Project, project(&[".vscode", "mcp.json"]), &[]);
            const BUILDS: [&str; 2] = ["Code", "Code - Insiders"];
            for code in BUILDS {
                add(User, data(&[code, "User", "mcp.json"]), &[]);
                add(User, data(&[code, "User", "settings.json"]), &[]);
            }
            // Which profile is in use is not told; of two that name a server, the first by the name of its folder wins.
            for profiles in BUILDS.into_iter().filter_map(|code| data(&[code, "User", "profiles"])) {
                let path = profiles.into();
                found.push(Location { host, scope: User, path, extensions: &[], in_each: Some("mcp.json") });
            }
        }
        Host::DevContainer => {
            add(Project, project(&[".devcontainer", "devcontainer.json"]), &[]);
            add(Project, project(&[".devcontainer.json"]), &[]);
        }
        Host::Windsurf => add(User, home(&[".codeium", "windsurf", "mcp_config.json"]), &[]),
        Host::Cline => {
            let file = ["globalStorage", "saoudrizwan.claude-dev", "settings", "cline_mcp_settings.json"];
            add(User, data(&[&["Code", "User"][..], &file].concat()), &[]);
        }
        Host::ClineCli => add(User, home(&[".cline", "mcp.json"]), &[]),
        Host::Roo => {
            add(Project, project(&[".roo", "mcp.json"]), &[]);
            let file = ["globalStorage", "rooveterinaryinc.roo-cline", "settings", "mcp_settings.json"];
            add(User, data(&[&["Code", "User"][..], &file].concat()), &[]);
        }
        Host::Kilo => {
            add(Project, project(&[".kilocode", "mcp.json"]), &[]);
            let file = ["globalStorage", "kilocode.kilo-code", "settings", "mcp_settings.json"];
            add(User, data(&[&["Code", "User"][..], &file].concat()), &[]);
        }
        Host::Zed => {
            add(Project, project(&[".zed", "settings.json"]), &[]);
            let folder = if windows { data(&["Zed"]) } else { config(&["zed"]) };
            add(User, folder.map(|folder| around.join(&folder, &["settings.json"])), &[]);
        }
        Host::Codex => {
            add(Project, project(&[".codex", "config.toml"]), &[]);
            add(User, moved("CODEX_HOME", ".codex", &["config.toml"]), &[]);
        }
        Host::Gemini => {
            add(Project, project(&[".gemini", "settings.json"]), &[]);
            add(User, home(&[".gemini", "settings.json"]), &[]);
        }
        Host::Goose => {
            let folder = if windows { data(&["Block", "goose", "config"]) } else { config(&["goose"]) };
            add(User, folder.map(|folder| around.join(&folder, &["config.yaml"])), &[]);
        }
        Host::Continue => {
            add(Project, project(&[".continue", "mcpServers"]), &["yaml", "yml", "json"]);
            add(User, home(&[".continue", "config.yaml"]), &[]);
            add(User, home(&[".continue", "config.json"]), &[]);
        }
        Host::LibreChat => add(Project, project(&["librechat.yaml"]), &[]),
        Host::OpenCode => {
            for name in ["opencode.json", "opencode.jsonc"] {
                add(Project, project(&[name]), &[]);
                add(Project, project(&[".opencode", name]), &[]);
            }
            add(User, around.filled("OPENCODE_CONFIG").map(str::to_owned), &[]);
            for name in ["opencode.json", "opencode.jsonc"] {
                add(User, around.filled("OPENCODE_CONFIG_DIR").map(|folder| around.join(folder, &[name])), &[]);
                add(User, config(&["opencode", name]), &[]);
            }
        }
        Host::Junie => {
            add(Project, project(&[".junie", "mcp", "mcp.json"]), &[]);
            add(User, home(&[".junie", "mcp", "mcp.json"]), &[]);
        }
        Host::AmazonQ => {
            add(Project, project(&[".amazonq", "cli-agents"]), &["json"]);
            add(Project, project(&[".amazonq", "mcp.json"]), &[]);
            add(User, home(&[".aws", "amazonq", "cli-agents"]), &["json"]);
            add(User, home(&[".aws", "amazonq", "mcp.json"]), &[]);
        }
        Host::AmazonQIde => {
            add(Project, project(&[".amazonq", "agents", "default.json"]), &[]);
            add(User, home(&[".aws", "amazonq", "agents", "default.json"]), &[]);
        }
        Host::Kiro => {
            add(Project, project(&[".kiro", "settings", "mcp.json"]), &[]);
            add(User, home(&[".kiro", "settings", "mcp.json"]), &[]);
        }
        Host::CopilotCli => {
            for folder in around.above() {
                add(Project, Some(around.join(folder, &[".mcp.json"])), &[]);
            }
            add(Project, project(&[".github", "mcp.json"]), &[]);
            add(User, moved("COPILOT_HOME", ".copilot", &["mcp-config.json"]), &[]);
        }
        Host::Mcporter => {
            add(Project, project(&["config", "mcporter.json"]), &[]);
            add(User, home(&[".mcporter", "mcporter.json"]), &[]);
            add(User, home(&[".mcporter", "mcporter.jsonc"]), &[]);
        }
        Host::McpHost => {
            for name in [".mcphost.yml", ".mcphost.json", ".mcp.yml", ".mcp.json"] {
                add(User, home(&[name]), &[]);
            }
        }
        Host::Tabnine => {
            add(Project, project(&[".tabnine", "agent", "settings.json"]), &[]);
            add(User, home(&[".tabnine", "agent", "settings.json"]), &[]);
        }
        Host::Generic => add(User, config(&["mcp", "mcp.json"]), &[]),
        // One reads the files of the other; two have no file on this machine.
        Host::OpenCode2 | Host::JetBrainsAi | Host::FastMcp => {}
    }
    found
}

/// The person's own file of bowline.
fn bowline_user(around: &Surroundings) -> Option<String> {
    // On macOS too: command-line programs are looked for there.
    let folder = if around.system() == System::Windows { around.app_data() } else { around.xdg_config() };
    folder.map(|folder| around.join(&folder, &["bowline", "bowline.toml"]))
}

#[cfg(test)]
mod tests;
