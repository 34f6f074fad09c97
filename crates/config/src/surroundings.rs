//! What the meaning of a configuration depends on beside its files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A family of operating systems, as far as places of files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum System {
    /// Linux and its kin.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// The one that this program was built for.
    pub const fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }

    pub(crate) const fn separator(self) -> &'static str {
        if matches!(self, Self::Windows) { "\\" } else { "/" }
    }
}

/// The system, the home folder, the environment and the project that configurations are read in.
///
/// Where files are and what variables stand for depends on nothing else, so it can be asked for any system on any.
///
/// ```
/// use bowline_config::{Host, Surroundings, System, locations};
///
/// let mac = Surroundings::new(System::MacOs).with_home("/Users/ada").with_folder("/src/knots");
/// let files: Vec<String> = locations(Host::ClaudeCode, &mac).iter().map(|l| l.path.display().to_string()).collect();
/// assert_eq!(files, ["/src/knots/.mcp.json", "/Users/ada/.claude.json"]);
/// ```
#[derive(Clone)]
pub struct Surroundings {
    system: System,
    home: Option<String>,
    env: BTreeMap<String, String>,
    folder: Option<String>,
    /// The folder and those above it, up to the root of the repository.
    above: Vec<String>,
}

impl Surroundings {
    /// Nothing but a system.
    pub const fn new(system: System) -> Self {
        Self { system, home: None, env: BTreeMap::new(), folder: None, above: Vec::new() }
    }

    /// Those of this process, with its working directory as the project.
    ///
    /// Variables and folders that are no UTF-8 are left out. The folders above are looked at for a `.git`.
    pub fn of_process() -> Self {
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let mut this = Self { env: env.collect(), ..Self::new(System::current()) };
        this.home = std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok());
        if let Ok(folder) = std::env::current_dir() {
            this.set_project(&folder);
        }
        this
    }

    /// Sets the home folder.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<String>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the folder of the project, which is taken for the root of its repository too.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<String>) -> Self {
        let folder = folder.into();
        self.above = vec![folder.clone()];
        self.folder = Some(folder);
        self
    }

    /// Sets the folder of the project, and looks for the root of its repository.
    fn set_project(&mut self, folder: &Path) {
        let is_root = |folder: &&Path| folder.join(".git").exists();
        let root = folder.ancestors().find(is_root).unwrap_or(folder);
        let above = folder.ancestors().take_while(|above| above.starts_with(root));
        self.above = above.filter_map(|above| above.to_str().map(str::to_owned)).collect();
        self.folder = folder.to_str().map(str::to_owned);
    }

    /// The system.
    pub const fn system(&self) -> System {
        self.system
    }

    /// The home folder, if it is known.
    pub fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// The folder of the project, if there is one.
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    /// The folder and those above it, up to the root of the repository.
    pub(crate) fn above(&self) -> &[String] {
        &self.above
    }

    /// A variable of the environment. On Windows the case of its name does not matter.
    pub fn env(&self, name: &str) -> Option<&str> {
        if self.system == System::Windows {
            let found = self.env.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            return found.map(|(_, value)| value.as_str());
        }
        self.env.get(name).map(String::as_str)
    }

    /// A variable that holds something.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.env(name).filter(|value| !value.is_empty())
    }

    /// Where files of configuration are: `~/.config`, or where the person moved that.
    pub(crate) fn xdg_config(&self) -> Option<String> {
        let moved = self.filled("XDG_CONFIG_HOME").filter(|path| path.starts_with('/'));
        moved.map(str::to_owned).or_else(|| self.in_home(&[".config"]))
    }

    /// Where programs of this system keep what is theirs.
    pub(crate) fn app_data(&self) -> Option<String> {
        match self.system {
            System::Linux => self.xdg_config(),
            System::MacOs => self.in_home(&["Library", "Application Support"]),
            System::Windows => {
                let set = self.filled("APPDATA").map(str::to_owned);
                set.or_else(|| self.in_home(&["AppData", "Roaming"]))
            }
        }
    }

    pub(crate) fn in_home(&self, names: &[&str]) -> Option<String> {
        Some(self.join(self.home.as_deref()?, names))
    }

    /// A path of this system.
    pub(crate) fn join(&self, base: &str, names: &[&str]) -> String {
        let separator = self.system.separator();
        let ends: &[char] = if self.system == System::Windows { &['\\', '/'] } else { &['/'] };
        let mut path = base.trim_end_matches(ends).to_owned();
        for name in names {
            path.push_str(separator);
            path.push_str(name);
        }
        path
    }

    /// A path of a file, where `~` is the home folder and what is relative belongs to `base`.
    pub(crate) fn path(&self, text: &str, base: Option<&Path>) -> PathBuf {
        let expanded = match (text.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => format!("{home}{rest}"),
            _ => text.to_owned(),
        };
        match base {
            Some(base) => base.join(expanded),
            None => expanded.into(),
        }
    }
}

impl fmt::Debug for Surroundings {
    /// The names of variables alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("system", &self.system)
            .field("home", &self.home)
            .field("folder", &self.folder)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish()
    }
}
