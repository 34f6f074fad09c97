//! Servers by the names that they have in configuration files.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;

use bowline::config::{
    Configuration, Endpoint, Error, ErrorKind, Policy, Problem, Resolver, Server, Severity, Sources, Surroundings,
    VariableSource,
};
use bowline::protocol::Tool;
use clap::error::{ContextKind, ContextValue};

use crate::console::Console;
use crate::exit::{CliError, Code};
use crate::options::Global;
use crate::sanitize;
use crate::server;
use crate::suggest;

/// A server of the configuration, and the policy that it is under.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    server: Server,
    policy: Option<Policy>,
    /// What it may be given otherwise than somebody meant.
    doubts: Vec<String>,
}

impl Deref for Configured {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Configured {
    /// The server itself.
    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    /// Tells what it may be given otherwise than somebody meant: a variable that was none would be sent as a password, and
    /// the server would say no more than that it is wrong.
    pub(crate) fn tell_doubts(&self, console: &Console) {
        for doubt in &self.doubts {
            console.warn(doubt);
        }
    }

    /// The policy that it is under, if any.
    pub(crate) const fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Whether it matters for its rules what the server says of a tool.
    pub(crate) fn reads_annotations(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.read_only)
    }

    /// Whether a tool may be used, as far as its name tells.
    fn permits_name(&self, tool: &str) -> bool {
        self.tools.permits(tool) && self.policy.as_ref().is_none_or(|policy| policy.tools.permits(tool))
    }

    /// Whether a tool may be used.
    pub(crate) fn permits(&self, tool: &Tool) -> bool {
        let only_reads = || tool.annotations.as_ref().and_then(|said| said.read_only_hint) == Some(true);
        self.permits_name(&tool.name) && (!self.reads_annotations() || only_reads())
    }

    /// Refuses a tool whose name the configuration does not let be used.
    pub(crate) fn permit_name(&self, tool: &str) -> Result<(), CliError> {
        if self.permits_name(tool) { Ok(()) } else { Err(self.denied("tool", tool, "")) }
    }

    /// Refuses a tool that the configuration does not let be used.
    pub(crate) fn permit(&self, tool: &Tool) -> Result<(), CliError> {
        self.permit_name(&tool.name)?;
        let why = ": its policy is for tools that only read, and the server does not say that this one does";
        if self.permits(tool) { Ok(()) } else { Err(self.denied("tool", &tool.name, why)) }
    }

    /// Whether a prompt may be used.
    pub(crate) fn permits_prompt(&self, prompt: &str) -> bool {
        self.prompts.permits(prompt) && self.policy.as_ref().is_none_or(|policy| policy.prompts.permits(prompt))
    }

    /// Whether a resource may be read, or a template be used whose own text this is.
    pub(crate) fn permits_resource(&self, uri: &str) -> bool {
        self.resources.permits(uri) && self.policy.as_ref().is_none_or(|policy| policy.resources.permits(uri))
    }

    /// Refuses a prompt that the configuration does not let be used.
    pub(crate) fn permit_prompt(&self, prompt: &str) -> Result<(), CliError> {
        if self.permits_prompt(prompt) { Ok(()) } else { Err(self.denied("prompt", prompt, "")) }
    }

    /// Refuses a resource that the configuration does not let be read.
    pub(crate) fn permit_resource(&self, uri: &str) -> Result<(), CliError> {
        if self.permits_resource(uri) { Ok(()) } else { Err(self.denied("resource", uri, "")) }
    }

    fn denied(&self, kind: &str, what: &str, why: &str) -> CliError {
        let (what, name) = (sanitize::line(what), sanitize::line(&self.name));
        let message = format!("the configuration does not let the {kind} `{what}` of `{name}` be used{why}");
        CliError::new(Code::Denied, message).hint(format!("`bowline config explain {name}` shows where that stands"))
    }
}

/// The configuration, read when a name is looked up for the first time.
pub(crate) struct Catalog {
    files: Vec<PathBuf>,
    config: OnceCell<Configuration>,
}

impl Catalog {
    pub(crate) fn new(global: &Global) -> Self {
        Self { files: global.config.clone(), config: OnceCell::new() }
    }

    #[cfg(test)]
    pub(crate) fn of(config: Configuration) -> Self {
        Self { files: Vec::new(), config: OnceCell::from(config) }
    }

    fn config(&self) -> &Configuration {
        self.config.get_or_init(|| load(&self.files))
    }

    /// The server that is called so.
    pub(crate) fn server(&self, word: &str) -> Result<Box<Configured>, CliError> {
        match self.config().server(word) {
            Ok(server) => Ok(Box::new(Configured {
                server: server.clone(),
                policy: self.config().policy_of(server).map_err(|error| told(&error))?.cloned(),
                doubts: doubts(self.config(), server),
            })),
            Err(error) if error.kind() == ErrorKind::Unknown => Err(self.unknown(word)),
            Err(error) => Err(told(&error)),
        }
    }

    /// The server, and the tool behind it where the word is `server.tool` or `server/tool`. A server that is called so
    /// as a whole wins, then the longest name.
    pub(crate) fn split(&self, word: &str) -> Result<(Box<Configured>, Option<String>), CliError> {
        if self.knows(word) {
            return Ok((self.server(word)?, None));
        }
        match self.split_at(word) {
            Some((name, tool)) => Ok((self.server(name)?, Some(tool.to_owned()))),
            None => Err(self.unknown(word)),
        }
    }

    fn split_at<'w>(&self, word: &'w str) -> Option<(&'w str, &'w str)> {
        let splits = word.rmatch_indices(['.', '/']);
        let mut halves = splits.filter_map(|(at, mark)| Some((word.get(..at)?, word.get(at + mark.len()..)?)));
        halves.find(|(name, tool)| !tool.is_empty() && self.knows(name))
    }

    fn knows(&self, name: &str) -> bool {
        self.config().servers().iter().any(|server| server.name == name)
            || self.config().broken().iter().any(|broken| broken == name)
    }

    /// The error for a word that is no server.
    pub(crate) fn unknown(&self, word: &str) -> CliError {
        let names = self.config().servers().iter().map(|server| server.name.as_str());
        let hint = suggest::did_you_mean(word, names).unwrap_or_else(|| {
            "write the name of a server that `bowline config list` shows, a URL such as http://127.0.0.1:3000/mcp or \
             unix:/path, or `-- command arguments…` at the end"
                .to_owned()
        });
        // It may well stand in a file of which nothing can be taken.
        let unread: Vec<String> =
            self.config().problems().iter().filter(is_of_file).map(shown).take(MOST_FILES).collect();
        CliError::usage(format!("`{}` names no server", sanitize::line(word)))
            .hint(hint)
            .detail((!unread.is_empty()).then(|| unread.join("\n")))
    }
}

/// How many doubts about a server are told.
const MOST_DOUBTS: usize = 10;
/// How many files that cannot be read are told of with another error.
const MOST_FILES: usize = 5;

/// What is told of a server that has texts in which something looks like a variable and is none.
pub(crate) fn doubts(config: &Configuration, server: &Server) -> Vec<String> {
    if !server.has_odd_variables() {
        return Vec::new();
    }
    let is_its = |problem: &&Problem| {
        problem.severity == Severity::Warning
            && problem.server.as_deref() == Some(&server.name)
            && problem.place.file == server.place.file
    };
    config.problems().iter().filter(is_its).map(shown).take(MOST_DOUBTS).collect()
}

/// Whether it is an error about no one server: about a file from which nothing can be taken, or about a part of one that is
/// left out, as a group, a policy or an entry without a name.
pub(crate) fn is_of_file(problem: &&Problem) -> bool {
    problem.severity == Severity::Error && problem.server.is_none()
}

/// A problem as it is told.
pub(crate) fn shown(problem: &Problem) -> String {
    sanitize::excerpt(&problem.to_string(), 1_000)
}

/// Reads the configuration: the files that are named, and those that are found.
pub(crate) fn load(files: &[PathBuf]) -> Configuration {
    let sources = files.iter().fold(Sources::default(), |sources, file| sources.with_file(file));
    Configuration::load(&Surroundings::of_process(), &sources)
}

/// Refuses configuration files that somebody named and that are none: without them another server of the name would be
/// taken, or none be found.
pub(crate) fn require(files: &[PathBuf]) -> Result<(), CliError> {
    for file in files {
        let why = match std::fs::metadata(file) {
            Ok(found) if found.is_dir() => "it is a folder".to_owned(),
            Ok(found) if found.is_file() => continue,
            // It is read more than once, and a pipe can be read only once.
            Ok(_) => "it is a pipe or a device: save it as a file".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            Err(error) => error.to_string(),
        };
        let name = sanitize::line(&file.display().to_string());
        return Err(CliError::usage(format!("--config {name}: {why}"))
            .hint("`bowline config path` shows the files that are read without it"));
    }
    Ok(())
}

/// The same where the words could not be read since a server stands in the place of a verb, which the file may name.
pub(crate) fn require_before(error: &clap::Error, words: &[OsString]) -> Result<(), CliError> {
    let before = unknown_verb(error, words).and_then(|(at, _)| words.get(1..at));
    before.map_or(Ok(()), |before| require(&stated_before(before)))
}

/// A word that stands in the place of a verb and is none, and its place.
fn unknown_verb<'e>(error: &'e clap::Error, words: &[OsString]) -> Option<(usize, &'e str)> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let at = words.iter().skip(1).position(|found| found.to_str() == Some(word))? + 1;
    Some((at, word))
}

/// Where the verb belongs that was left out: `list` before a server's name, `call` before that of a tool.
pub(crate) fn verb_for(error: &clap::Error, words: &[OsString]) -> Option<(usize, &'static str)> {
    let (at, word) = unknown_verb(error, words)?;
    let catalog = Catalog { files: files_before(words.get(1..at)?), config: OnceCell::new() };
    if catalog.knows(word) {
        return Some((at, "list"));
    }
    catalog.split_at(word).map(|_| (at, "call"))
}

/// The files that `--config` or the variable names. The words could not be read as a whole.
fn files_before(words: &[OsString]) -> Vec<PathBuf> {
    let mut files = stated_before(words);
    files.extend(std::env::var_os("BOWLINE_CONFIG").filter(|_| files.is_empty()).map(PathBuf::from));
    files
}

/// The files that `--config` names.
fn stated_before(words: &[OsString]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut is_next = false;
    for word in words {
        if std::mem::replace(&mut is_next, word == "--config") {
            files.push(word.into());
            is_next = false;
        } else if let Some(file) = word.to_str().and_then(|word| word.strip_prefix("--config=")) {
            files.push(file.into());
        }
    }
    files
}

/// What variables are filled in with.
pub(crate) fn resolver(global: &Global) -> Result<Resolver, CliError> {
    // Commands run for the files of the person alone; the library refuses those of a project.
    let mut resolver = Resolver::new(Surroundings::of_process()).with_commands(true);
    for pair in &global.input {
        let (id, value) = server::assigned("--input", pair)?;
        let value =
            value.into_string().map_err(|_| CliError::usage(format!("--input {id}: the value is no UTF-8 text")))?;
        resolver = resolver.with_input(id, value);
    }
    Ok(resolver)
}

/// What is started or called for a configured server: its variables filled in.
pub(crate) fn endpoint(global: &Global, configured: &Server) -> Result<Endpoint, CliError> {
    configured.resolve(&resolver(global)?).map_err(|error| unresolved(configured, &error))
}

/// What are called beside it: the further addresses of its pool, and how many calls each gets.
pub(crate) fn replicas(global: &Global, configured: &Server) -> Result<Vec<(Endpoint, u32)>, CliError> {
    let resolver = resolver(global)?;
    let replicas = configured.pool.iter().flat_map(|pool| &pool.replicas);
    let resolved = replicas.map(|replica| Ok((configured.resolve_replica(replica, &resolver)?, replica.weight)));
    resolved.collect::<Result<_, _>>().map_err(|error| unresolved(configured, &error))
}

/// Why a configured server cannot be used, and what to do about it.
fn unresolved(configured: &Server, error: &Error) -> CliError {
    let asks = configured.variables().any(|variable| variable.source == VariableSource::Input);
    let hint = match error.kind() {
        ErrorKind::Untrusted => Some("`bowline config trust` trusts this folder, once you have looked".to_owned()),
        ErrorKind::Disabled => Some(format!("`bowline config enable {}`", sanitize::line(&configured.name))),
        ErrorKind::Variable if asks => Some("answers are given with --input ID=VALUE".to_owned()),
        _ => None,
    };
    told(error).hint_if(hint)
}

/// Where a configured server is on the web.
pub(crate) fn url(global: &Global, configured: &Server) -> Result<String, CliError> {
    match endpoint(global, configured)? {
        Endpoint::Remote(address) => Ok(address.url),
        _ => Err(CliError::usage(format!(
            "`{}` is a program, and logins are for servers with a URL",
            sanitize::line(&configured.name)
        ))
        .hint("what a program needs to log in is its own: `bowline config explain` shows what it is given")),
    }
}

/// An error of the configuration; where it has several reasons, each on a line of its own.
pub(crate) fn told(error: &Error) -> CliError {
    let code = match error.kind() {
        ErrorKind::Io | ErrorKind::Changed => Code::Unexpected,
        ErrorKind::Untrusted => Code::Denied,
        _ => Code::Usage,
    };
    let problems = error.problems();
    let rest = problems.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>();
    let message = problems.first().map_or_else(|| error.to_string(), ToString::to_string);
    CliError::new(code, message).detail((!rest.is_empty()).then(|| rest.join("\n")))
}
