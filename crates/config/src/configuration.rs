//! All files together: who wins, and why.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::locations::locations;
use crate::model::{Server, ToolRules};
use crate::problem::{Problem, Severity, shown};
use crate::read::{self, Draft, InputSpec, Loaded, Names, Setting};
use crate::settings::{Group, Policy};
use crate::{Host, Location, Place, Scope, Surroundings};

/// Which files are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sources {
    /// Files that are named, those that win first. They win over all others.
    pub files: Vec<PathBuf>,
    /// The hosts whose files are read, those that win first; by default those that bowline's own file names, and all
    /// where it names none.
    pub imports: Option<Vec<Host>>,
    /// Whether the folder of the project is trusted, whatever bowline's own file says.
    pub trust: bool,
}

impl Sources {
    /// Adds a file. Whose it is is told by what stands in it; a `.toml` that is not Codex's is bowline's own.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Reads the files of these hosts alone.
    #[must_use]
    pub fn with_imports(mut self, hosts: impl IntoIterator<Item = Host>) -> Self {
        self.imports = Some(hosts.into_iter().collect());
        self
    }

    /// Takes the folder of the project for trusted.
    #[must_use]
    pub const fn with_trust(mut self, trust: bool) -> Self {
        self.trust = trust;
        self
    }
}

/// A file that was read, or would be if it were there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Whose it is.
    pub host: Host,
    /// Whom it is for.
    pub scope: Scope,
    /// Where it is.
    pub path: PathBuf,
    /// How many servers it names; nothing where there is no such file.
    pub servers: Option<usize>,
}

/// The servers of all files, and what is wrong with them.
///
/// ```
/// use bowline_config::{Configuration, Sources, Surroundings};
///
/// let config = Configuration::load(&Surroundings::of_process(), &Sources::default());
/// for server in config.servers() {
///     println!("{} from {}", server.name, server.place);
/// }
/// for problem in config.problems() {
///     eprintln!("{}: {problem}", problem.severity);
/// }
/// ```
#[derive(Debug, Default)]
pub struct Configuration {
    files: Vec<FileInfo>,
    /// What each file that is there said.
    loaded: Vec<(PathBuf, Loaded)>,
    servers: Vec<Server>,
    broken: Vec<String>,
    explanations: BTreeMap<String, Explanation>,
    problems: Vec<Problem>,
    inputs: Vec<InputSpec>,
    policies: Vec<Policy>,
    groups: Vec<Group>,
}

/// Where each value of a server comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The server.
    pub name: String,
    /// The values that are in effect.
    pub settings: Vec<Explained>,
    /// Entries of the same name that have no effect, with their hosts.
    pub shadowed: Vec<(Host, Place)>,
}

/// A value that is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The value and its place.
    pub setting: Setting,
    /// Whose file it is in.
    pub host: Host,
    /// What it wins over.
    pub overrides: Vec<Setting>,
}

impl Configuration {
    /// Finds and reads the files.
    ///
    /// Whatever is wrong with one of them is among [`problems`](Self::problems); the others go on. Files are read,
    /// and nothing else is done: no variable is filled in, no command is run.
    pub fn load(around: &Surroundings, sources: &Sources) -> Self {
        Self::default().load_again(around, sources)
    }

    /// Finds and reads the files anew, for a program that runs while they are edited: a file of which nothing can be
    /// taken, because its syntax is broken or it cannot be read, goes on to say what it said here.
    ///
    /// Its problem is among those of the new configuration. A file that is gone says nothing any more, and an entry that
    /// cannot be used is [broken](Self::broken), as ever.
    #[must_use]
    pub fn load_again(&self, around: &Surroundings, sources: &Sources) -> Self {
        let mut reader = Reader {
            around,
            before: &self.loaded,
            seen: HashSet::new(),
            loaded: Vec::new(),
            files: Vec::new(),
            problems: Vec::new(),
        };
        for path in &sources.files {
            reader.file(Host::Generic, Scope::Given, path);
        }
        reader.host(Host::Bowline);
        let own = reader.loaded.iter().find_map(|(_, loaded)| loaded.own.imports.clone());
        let imports = sources.imports.clone().or(own);
        for host in imports.as_deref().unwrap_or(Host::ALL).iter().filter(|host| **host != Host::Bowline) {
            reader.host(*host);
        }
        let trusted = sources.trust || is_trusted(around, &reader.loaded);
        let mut this = Self::merge(reader.loaded, trusted);
        this.files = reader.files;
        this.problems.extend(reader.problems);
        this.problems.extend(crate::limits::from_environment(&mut this.servers, around));
        this
    }

    /// Reads one text as a file of a host.
    pub fn read(host: Host, path: impl AsRef<Path>, text: &str) -> Self {
        let loaded = read::file(host, Scope::Given, path.as_ref(), text, None);
        Self::merge(vec![(path.as_ref().to_owned(), loaded)], true)
    }

    /// The servers by their names, those that are switched off included.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// A server.
    ///
    /// # Errors
    /// Where there is none of this name, and where there is one whose entry cannot be used: with what is wrong.
    pub fn server(&self, name: &str) -> Result<&Server, Error> {
        if let Some(server) = self.servers.iter().find(|server| server.name == name) {
            return Ok(server);
        }
        if self.broken.iter().any(|broken| broken == name) {
            let is_why =
                |problem: &&Problem| problem.severity == Severity::Error && problem.server.as_deref() == Some(name);
            return Err(Error::of(ErrorKind::Invalid, self.problems.iter().filter(is_why).cloned().collect()));
        }
        let message = format!("no server is called `{}`", shown(name));
        Err(Error::new(ErrorKind::Unknown, message))
    }

    /// The names of servers whose entries cannot be used.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// Where each value of a server comes from, and what it won over.
    pub fn explain(&self, name: &str) -> Option<&Explanation> {
        self.explanations.get(name)
    }

    /// What is wrong, in the order of the files.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The files that were looked for, those that win first.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// What the files want the person to be asked.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    /// The policies of bowline's own files.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The policy that a server is under, if it names one.
    ///
    /// # Errors
    /// Where there is no policy of that name: a server that is to be held by rules is not used without them.
    pub fn policy_of(&self, server: &Server) -> Result<Option<&Policy>, Error> {
        let Some(name) = server.policy.as_deref() else { return Ok(None) };
        match self.policies.iter().find(|policy| policy.name == name) {
            Some(policy) => Ok(Some(policy)),
            None => Err(no_policy(server, name).into()),
        }
    }

    /// The groups of bowline's own files.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn merge(loaded: Vec<(PathBuf, Loaded)>, trusted: bool) -> Self {
        let mut this = Self::default();
        let mut by_name: BTreeMap<String, Vec<&Draft>> = BTreeMap::new();
        let (mut policies, mut groups) = (HashSet::new(), HashSet::new());
        let files = || loaded.iter().map(|(_, file)| file);
        for file in files() {
            this.problems.extend_from_slice(&file.problems);
            this.inputs.extend_from_slice(&file.inputs);
            let new = file.own.policies.iter().filter(|policy| policies.insert(policy.name.as_str()));
            this.policies.extend(new.cloned());
            let new = file.own.groups.iter().filter(|group| groups.insert(group.name.as_str()));
            this.groups.extend(new.cloned());
        }
        let may = |scope: Scope| scope != Scope::Project || trusted;
        for scope in [true, false] {
            for file in files() {
                for draft in file.drafts.iter().filter(|draft| may(draft.scope) == scope) {
                    by_name.entry(draft.name.clone()).or_default().push(draft);
                }
            }
        }
        let defaults: Vec<&Draft> = files().filter(|f| may(f.scope)).filter_map(|f| f.own.defaults.as_ref()).collect();
        for (name, drafts) in by_name {
            this.settle(name, &drafts, &defaults, &may);
        }
        this.check();
        this.loaded = loaded;
        this
    }

    /// Makes one server of all entries of a name, those that win first.
    fn settle(&mut self, name: String, drafts: &[&Draft], defaults: &[&Draft], may: &impl Fn(Scope) -> bool) {
        let is_patch = |draft: &Draft| draft.host == Host::Bowline && draft.transport.is_none() && !draft.broken;
        let Some((index, base)) = drafts.iter().enumerate().find(|(_, draft)| !is_patch(draft)) else {
            for draft in drafts {
                let message = "no file says what this server is: there is neither `command` nor `url`";
                self.problems.push(Problem::error(draft.place.clone(), message).of(&name));
            }
            self.broken.push(name);
            return;
        };
        // Changes by a file that is not trusted have no effect.
        let patches: Vec<&Draft> = drafts.iter().take(index).filter(|draft| may(draft.scope)).copied().collect();
        let behind = drafts.get(index + 1..).unwrap_or_default();
        let mut settings: Vec<Explained> = Vec::new();
        let mut first: HashMap<&str, usize> = HashMap::new();
        let in_effect = patches.iter().chain([base]).chain(defaults);
        for draft in in_effect {
            for setting in &draft.settings {
                let winner = first.get(setting.key.as_str()).and_then(|index| settings.get_mut(*index));
                match winner {
                    // Within one file a later value of the same key adds to it.
                    Some(winner) if winner.setting.place.file != setting.place.file => {
                        winner.overrides.push(setting.clone());
                    }
                    _ => {
                        first.entry(&setting.key).or_insert(settings.len());
                        settings.push(Explained { setting: setting.clone(), host: draft.host, overrides: Vec::new() });
                    }
                }
            }
        }
        for setting in behind.iter().flat_map(|draft| &draft.settings) {
            if let Some(winner) = first.get(setting.key.as_str()).and_then(|index| settings.get_mut(*index)) {
                winner.overrides.push(setting.clone());
            }
        }
        let shadowed = behind.iter().map(|draft| (draft.host, draft.place.clone())).collect();
        self.explanations.insert(name.clone(), Explanation { name: name.clone(), settings, shadowed });
        let transport = match &base.transport {
            Some(transport) if !base.broken => transport.clone(),
            _ => {
                self.broken.push(name);
                return;
            }
        };
        let all: Vec<&Draft> = patches.iter().chain([base]).chain(defaults).copied().collect();
        let mut layers = crate::Layers::default();
        for draft in &all {
            layers = layers.or(&draft.layers);
        }
        let names = |of: fn(&Draft) -> Option<&Vec<String>>| all.iter().find_map(|draft| of(draft)).cloned();
        let prompts = Names { allow: names(|d| d.prompts.allow.as_ref()), deny: names(|d| d.prompts.deny.as_ref()) };
        let resources =
            Names { allow: names(|d| d.resources.allow.as_ref()), deny: names(|d| d.resources.deny.as_ref()) };
        self.servers.push(Server {
            name,
            host: base.host,
            scope: base.scope,
            place: base.place.clone(),
            transport,
            enabled: all.iter().find_map(|draft| draft.enabled).unwrap_or(true),
            trusted: may(base.scope),
            timeouts: crate::Timeouts {
                connect: all.iter().find_map(|draft| draft.timeouts.connect),
                idle: all.iter().find_map(|draft| draft.timeouts.idle),
                total: all.iter().find_map(|draft| draft.timeouts.total),
            },
            tools: ToolRules {
                // A list with `*` in it, as some hosts want it, is none.
                allow: names(|draft| draft.allow.as_ref()).filter(|allow| !allow.iter().any(|pattern| pattern == "*")),
                deny: names(|draft| draft.deny.as_ref()).unwrap_or_default(),
                approve: names(|draft| draft.approve.as_ref()).unwrap_or_default(),
            },
            prompts: prompts.into(),
            resources: resources.into(),
            trust: all.iter().find_map(|draft| draft.trust),
            auth: base.auth.clone(),
            pool: base.pool.clone(),
            layers,
            policy: all.iter().find_map(|draft| draft.policy.clone()),
            extra: base.extra.clone(),
        });
    }

    /// What only shows when all files are known.
    fn check(&mut self) {
        let servers: HashSet<&str> =
            self.servers.iter().map(|server| &server.name).chain(&self.broken).map(String::as_str).collect();
        let policies: HashSet<&str> = self.policies.iter().map(|policy| policy.name.as_str()).collect();
        let mut found = Vec::new();
        for group in &self.groups {
            for name in group.servers.iter().filter(|name| !servers.contains(name.as_str())) {
                let message = format!("the group `{}` names `{}`, which is no server", shown(&group.name), shown(name));
                found.push(Problem::error(group.place.clone(), message));
            }
        }
        for server in &self.servers {
            let missing = server.policy.as_deref().filter(|name| !policies.contains(name));
            found.extend(missing.map(|name| no_policy(server, name)));
        }
        self.problems.extend(found);
    }
}

fn no_policy(server: &Server, name: &str) -> Problem {
    let message = format!("there is no policy `{}` in `policies` that can be used", shown(name));
    Problem::error(server.place.clone(), message).of(&server.name)
}

struct Reader<'r> {
    around: &'r Surroundings,
    /// What the files said when they were last read.
    before: &'r [(PathBuf, Loaded)],
    seen: HashSet<PathBuf>,
    loaded: Vec<(PathBuf, Loaded)>,
    files: Vec<FileInfo>,
    /// What is wrong with folders.
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Reads the files of a host.
    fn host(&mut self, host: Host) {
        let places = locations(host, self.around);
        for place in &places {
            // In the home folder a project's files are the person's.
            let is_own = |other: &Location| other.scope == Scope::User && other.path == place.path;
            if place.scope == Scope::Project && places.iter().any(is_own) {
                continue;
            }
            let files = place.files();
            if files.is_cut {
                let message = format!("holds more than {} files, and the rest is not read", files.paths.len());
                self.problems.push(Problem::warning(Place::whole(&place.path), message));
            }
            for path in files.paths {
                self.file(host, place.scope, &path);
            }
        }
    }

    fn file(&mut self, host: Host, scope: Scope, path: &Path) {
        // Two hosts may read one file, and one path may be a link to the other.
        let canonical = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(canonical) {
            return;
        }
        let mut info = FileInfo { host, scope, path: path.to_owned(), servers: None };
        let loaded = match read::text(path) {
            Ok(Some(text)) => {
                let mut loaded = read::file(host, scope, path, &text, self.around.folder());
                // A `.toml` that is no other host's is bowline's own.
                if loaded.host == Host::Generic && path.extension().is_some_and(|extension| extension == "toml") {
                    loaded = read::file(Host::Bowline, scope, path, &text, self.around.folder());
                }
                info.host = loaded.host;
                info.servers = Some(loaded.drafts.len());
                Some(loaded)
            }
            Ok(None) if scope == Scope::Given => {
                let problem = Problem::error(Place::whole(path), "there is no such file");
                Some(Loaded { unusable: false, ..Loaded::unusable(host, scope, vec![problem]) })
            }
            Ok(None) => None,
            Err(problem) => {
                info.servers = Some(0);
                Some(Loaded::unusable(host, scope, vec![problem]))
            }
        };
        let loaded = loaded.map(|loaded| self.or_before(path, loaded));
        if let (Some(loaded), Some(servers)) = (&loaded, &mut info.servers) {
            *servers = loaded.drafts.len();
        }
        self.files.push(info);
        self.loaded.extend(loaded.map(|loaded| (path.to_owned(), loaded)));
    }

    /// What a file says, or said before where nothing can be taken from it now.
    fn or_before(&self, path: &Path, now: Loaded) -> Loaded {
        let said = self.before.iter().find(|(other, said)| other == path && !said.unusable);
        match said {
            Some((_, said)) if now.unusable => {
                // What is wrong with single entries is so still.
                let of_entries = said.problems.iter().filter(|problem| problem.server.is_some()).cloned();
                Loaded { problems: now.problems.into_iter().chain(of_entries).collect(), ..said.clone() }
            }
            _ => now,
        }
    }
}

/// Whether the person's own file trusts the folder of the project, or one above it.
fn is_trusted(around: &Surroundings, loaded: &[(PathBuf, Loaded)]) -> bool {
    let Some(folder) = around.folder().map(Path::new) else { return false };
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let own = loaded.iter().map(|(_, file)| file).filter(|file| file.scope != Scope::Project);
    own.flat_map(|file| &file.own.trusted).any(|trusted| {
        let trusted = around.path(trusted, None);
        let trusted = std::fs::canonicalize(&trusted).unwrap_or(trusted);
        trusted.is_absolute() && folder.starts_with(&trusted)
    })
}
