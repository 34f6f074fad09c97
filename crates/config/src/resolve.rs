//! From an entry to what is started or called: variables filled in.

mod command;
mod dotenv;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::model::{Remote, Server, Stdio, Transport, Way};
use crate::problem::{Problem, shown};
use crate::settings::Replica;
use crate::template::{Part, Template, Variable, VariableSource};
use crate::{Scope, Surroundings};

/// The longest file that a variable may stand for, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

type Keyring = dyn Fn(&str) -> Result<Option<String>, String> + Send + Sync;

/// Where values of variables come from.
///
/// ```
/// use bowline_config::{Configuration, Endpoint, Host, Resolver, Surroundings, System};
///
/// let around = Surroundings::new(System::Linux).with_env("TOKEN", "t1");
/// let text = r#"{"mcpServers":{"a":{"url":"https://a.example/mcp","headers":{"Authorization":"Bearer ${TOKEN}"}}}}"#;
/// let config = Configuration::read(Host::ClaudeCode, "mcp.json", text);
/// let Endpoint::Remote(remote) = config.server("a")?.resolve(&Resolver::new(around))? else { unreachable!() };
/// assert_eq!(remote.headers, [("Authorization".to_owned(), "Bearer t1".to_owned())]);
/// # Ok::<(), bowline_config::Error>(())
/// ```
#[derive(Clone)]
pub struct Resolver {
    around: Surroundings,
    inputs: BTreeMap<String, String>,
    commands: bool,
    deadline: Duration,
    keyring: Option<Arc<Keyring>>,
}

impl Resolver {
    /// Variables of these surroundings, no commands, and the keyring of the system where the feature is on.
    pub fn new(around: Surroundings) -> Self {
        #[cfg(feature = "keyring")]
        let keyring: Option<Arc<Keyring>> = Some(Arc::new(system_keyring));
        #[cfg(not(feature = "keyring"))]
        let keyring = None;
        Self { around, inputs: BTreeMap::new(), commands: false, deadline: Duration::from_secs(10), keyring }
    }

    /// Answers what `${input:id}` asks for.
    #[must_use]
    pub fn with_input(mut self, id: impl Into<String>, value: impl Into<String>) -> Self {
        self.inputs.insert(id.into(), value.into());
        self
    }

    /// Lets `${cmd:…}` run, in files of the person's own: never in those of a project. Default: it is an error.
    #[must_use]
    pub const fn with_commands(mut self, allow: bool) -> Self {
        self.commands = allow;
        self
    }

    /// How long a command may take, default 10 s. After it the command and what it started are killed.
    #[must_use]
    pub const fn with_command_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Asks this in place of the system's keyring. It gives nothing for a name that it does not know.
    #[must_use]
    pub fn with_keyring(
        mut self,
        keyring: impl Fn(&str) -> Result<Option<String>, String> + Send + Sync + 'static,
    ) -> Self {
        self.keyring = Some(Arc::new(keyring));
        self
    }

    /// What variables are looked up in.
    pub const fn surroundings(&self) -> &Surroundings {
        &self.around
    }

    /// The value of a variable, nothing where it has none, or why it cannot be had.
    fn value(&self, variable: &Variable, of: &Template, scope: Scope) -> Result<Option<String>, String> {
        let name = variable.name.as_str();
        match variable.source {
            VariableSource::Environment => {
                let value = self.around.env(name).map(str::to_owned);
                // As shells have it: what is empty counts as not set where there is a default.
                Ok(value.filter(|value| !value.is_empty() || variable.default().is_none()))
            }
            VariableSource::Input => Ok(self.inputs.get(name).cloned()),
            VariableSource::File => {
                let path = self.around.path(name, of.place().file.parent());
                secret_file(&path).map(Some)
            }
            VariableSource::Keyring => match &self.keyring {
                Some(keyring) => keyring(name),
                None => Err("this program was built without the keyring of the system".to_owned()),
            },
            VariableSource::Command if scope == Scope::Project => {
                Err("commands are not run for files of a project".to_owned())
            }
            VariableSource::Command if !self.commands => Err("commands are not run here".to_owned()),
            VariableSource::Command => command::output(name, self.deadline).map(Some),
            VariableSource::Host => Ok(self.of_host(name)),
            VariableSource::Request => Err("it is told with each request, and there is no user here".to_owned()),
        }
    }

    fn of_host(&self, name: &str) -> Option<String> {
        let folder = self.around.folder();
        match name {
            "workspaceFolder" | "workspaceRoot" | "cwd" => folder.map(str::to_owned),
            "workspaceFolderBasename" => folder?.rsplit(['/', '\\']).next().map(str::to_owned),
            "userHome" => self.around.home().map(str::to_owned),
            "pathSeparator" | "/" => Some(self.around.system().separator().to_owned()),
            _ => None,
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("around", &self.around)
            .field("inputs", &self.inputs.keys().collect::<Vec<_>>())
            .field("commands", &self.commands)
            .finish_non_exhaustive()
    }
}

/// What is started or called. `Debug` shows no value of a variable or header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A program to start.
    Program(Program),
    /// A server that runs already.
    Remote(Address),
}

/// A program to start.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Program {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that are set for it, beside those that every program gets.
    pub env: Vec<(String, String)>,
    /// Its working directory, where it has one of its own.
    pub cwd: Option<std::path::PathBuf>,
}

/// A server that runs already.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// Its address.
    pub url: String,
    /// How it is spoken to.
    pub way: Way,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
    /// A bearer token.
    pub bearer: Option<String>,
}

/// The client that an authorization server knows.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its registered name.
    pub id: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClient").field("id", &self.id).field("secret", &self.secret.is_some()).finish()
    }
}

fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &names(&self.env))
            .field("cwd", &self.cwd)
            .finish()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("url", &bare_url(&self.url))
            .field("way", &self.way)
            .field("headers", &names(&self.headers))
            .field("bearer", &self.bearer.is_some())
            .finish()
    }
}

impl Server {
    /// Fills in the variables.
    ///
    /// Words stay whole. One exception helps with a common slip: a `command` with spaces, without arguments and
    /// without a folder (`"npx -y package"`) is split as a shell would where no program on `PATH` is called so.
    ///
    /// Files that variables name are read, and commands run where the resolver lets them.
    ///
    /// # Errors
    /// Where the server is switched off or not trusted, and for all variables that have no value: each error names
    /// the variable and its place.
    pub fn resolve(&self, resolver: &Resolver) -> Result<Endpoint, Error> {
        self.resolve_with(None, resolver)
    }

    /// Fills in the variables for one of the further addresses of its [pool](Self::pool): all but the address is that of
    /// the server itself.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and where the server is a program, which has no address.
    pub fn resolve_replica(&self, replica: &Replica, resolver: &Resolver) -> Result<Endpoint, Error> {
        self.resolve_with(Some(replica), resolver)
    }

    /// Fills in what its entry says of the client that it is to be used as: its registered name, and its secret.
    ///
    /// # Errors
    /// For all variables that have no value.
    pub fn resolve_client(&self, resolver: &Resolver) -> Result<RegisteredClient, Error> {
        let mut filling = Filling { resolver, scope: self.scope, server: &self.name, problems: Vec::new() };
        let mut text = |key, template: &Option<Template>| template.as_ref().and_then(|text| filling.text(key, text));
        let client = RegisteredClient {
            id: text("oauth.client_id", &self.auth.client_id),
            secret: text("oauth.client_secret", &self.auth.client_secret),
        };
        if filling.problems.is_empty() { Ok(client) } else { Err(Error::of(ErrorKind::Variable, filling.problems)) }
    }

    fn resolve_with(&self, replica: Option<&Replica>, resolver: &Resolver) -> Result<Endpoint, Error> {
        if !self.trusted {
            let message = format!(
                "`{}` is named by {}, in a folder that is not trusted yet: look at that file first",
                shown(&self.name),
                self.place
            );
            return Err(Error::new(ErrorKind::Untrusted, message));
        }
        if !self.enabled {
            let message = format!("`{}` is switched off by {}", shown(&self.name), self.place);
            return Err(Error::new(ErrorKind::Disabled, message));
        }
        let mut filling = Filling { resolver, scope: self.scope, server: &self.name, problems: Vec::new() };
        let endpoint = match (&self.transport, replica) {
            (Transport::Stdio(stdio), None) => Endpoint::Program(filling.program(stdio)),
            (Transport::Stdio(_), Some(_)) => {
                let message = format!("`{}` is a program, and replicas are further addresses", shown(&self.name));
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            (Transport::Remote(remote), _) => {
                Endpoint::Remote(filling.address(remote, replica.map_or(&remote.url, |replica| &replica.url)))
            }
        };
        if filling.problems.is_empty() { Ok(endpoint) } else { Err(Error::of(ErrorKind::Variable, filling.problems)) }
    }
}

struct Filling<'r> {
    resolver: &'r Resolver,
    scope: Scope,
    server: &'r str,
    problems: Vec<Problem>,
}

impl Filling<'_> {
    /// The text with its variables filled in. Nothing where it is to be left out as a whole, or cannot be filled.
    fn text(&mut self, key: &str, template: &Template) -> Option<String> {
        let mut text = String::new();
        for part in template.parts() {
            let variable = match part {
                Part::Text(words) => {
                    text.push_str(words);
                    continue;
                }
                Part::Variable(variable) => variable,
            };
            let why = match self.resolver.value(variable, template, self.scope) {
                Ok(Some(value)) => {
                    text.push_str(&value);
                    continue;
                }
                Ok(None) => match variable.fallback() {
                    Some(default) => {
                        text.push_str(default);
                        continue;
                    }
                    None if variable.optional => return None,
                    None => missing(variable),
                },
                Err(why) => format!("cannot be had: {why}"),
            };
            let message = format!("`{}` of `{}`: {variable} {why}", shown(key), shown(self.server));
            self.problems.push(Problem::error(template.place().clone(), message).of(self.server));
            return None;
        }
        Some(text)
    }

    fn pairs(&mut self, what: &str, pairs: &[(String, Template)]) -> Vec<(String, String)> {
        let fill = |(name, template): &(String, Template)| {
            self.text(&format!("{what}.{name}"), template).map(|value| (name.clone(), value))
        };
        pairs.iter().filter_map(fill).collect()
    }

    fn program(&mut self, stdio: &Stdio) -> Program {
        let mut command = self.text("command", &stdio.command).unwrap_or_default();
        let mut args: Vec<String> = stdio.args.iter().filter_map(|arg| self.text("args", arg)).collect();
        if args.is_empty()
            && let Some(words) = split(&command, &self.resolver.around)
        {
            let mut words = words.into_iter();
            command = words.next().unwrap_or_default();
            args = words.collect();
        }
        let mut env = Vec::new();
        if let Some(file) = &stdio.env_file
            && let Some(path) = self.text("env_file", file)
        {
            let base = self.resolver.around.folder().map(Path::new).or_else(|| file.place().file.parent());
            match dotenv::read(&self.resolver.around.path(&path, base)) {
                Ok(pairs) => env = pairs,
                Err(why) => {
                    let message = format!("`env_file` of `{}`: {why}", shown(self.server));
                    self.problems.push(Problem::error(file.place().clone(), message).of(self.server));
                }
            }
        }
        for (name, value) in self.pairs("env", &stdio.env) {
            env.retain(|(other, _)| *other != name);
            env.push((name, value));
        }
        let cwd = stdio.cwd.as_ref().and_then(|cwd| self.text("cwd", cwd));
        let cwd = cwd.map(|cwd| self.resolver.around.path(&cwd, self.resolver.around.folder().map(Path::new)));
        Program { command, args, env, cwd }
    }

    fn address(&mut self, remote: &Remote, url: &Template) -> Address {
        Address {
            url: self.text("url", url).unwrap_or_default(),
            way: remote.way,
            headers: self.pairs("headers", &remote.headers),
            bearer: remote.bearer.as_ref().and_then(|bearer| self.text("bearer", bearer)),
        }
    }
}

fn missing(variable: &Variable) -> String {
    let name = shown(&variable.name);
    match variable.source {
        VariableSource::Environment => format!("has no value: set the variable `{name}` in the environment"),
        VariableSource::Input => format!("has no value: the input `{name}` was not answered"),
        VariableSource::Keyring => format!("has no value: the keyring knows no `{name}`"),
        VariableSource::Host if name == "userHome" => "has no value: the home folder is not known".to_owned(),
        VariableSource::Host => "has no value: there is no project folder here".to_owned(),
        VariableSource::File | VariableSource::Command | VariableSource::Request => "has no value".to_owned(),
    }
}

impl Stdio {
    /// The program that is looked for, as the entry has it, with variables as their names: the first word, where
    /// [`Server::resolve`] takes the command apart. Where it does not, all of it, as
    /// [`shown_command`](Self::shown_command) shows it.
    pub fn shown_program(&self, around: &Surroundings) -> String {
        let command = self.command.shown();
        let words = if self.args.is_empty() { split(&command, around) } else { None };
        words.and_then(|words| words.into_iter().next()).unwrap_or_else(|| self.shown_command())
    }
}

/// The words of a command that was written in one, unless it is a program.
fn split(command: &str, around: &Surroundings) -> Option<Vec<String>> {
    let (head, _) = command.trim().split_once(char::is_whitespace)?;
    if head.contains(['/', '\\']) || is_program(command, around) {
        return None;
    }
    shlex::split(command).filter(|words| words.len() > 1)
}

fn is_program(name: &str, around: &Surroundings) -> bool {
    let path = around.env("PATH").unwrap_or_default();
    Path::new(name).is_file() || std::env::split_paths(path).any(|folder| folder.join(name).is_file())
}

/// The text of a small file without its last line break. The error shows nothing of it.
fn secret_file(path: &Path) -> Result<String, String> {
    let text = small_file(path, MAX_SECRET)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn small_file(path: &Path, most: u64) -> Result<String, String> {
    use std::io::Read;

    let name = shown(&path.to_string_lossy());
    let cannot = |error: std::io::Error| format!("the file `{name}` cannot be read: {error}");
    let Some(file) = crate::file::open(path).map_err(cannot)? else {
        return Err(format!("`{name}` is {}, and no ordinary file", crate::file::kind(path)));
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(format!("the file `{name}` is larger than {} KiB", most / 1024));
    }
    String::from_utf8(bytes).map_err(|_| format!("the file `{name}` is no UTF-8 text"))
}

#[cfg(feature = "keyring")]
fn system_keyring(name: &str) -> Result<Option<String>, String> {
    if let Err(error) = keyring::Entry::store_status() {
        return Err(format!("this system has no keyring: {}", bowline_protocol::excerpt(&error.to_string(), 200)));
    }
    let entry = keyring::Entry::new("bowline", name).map_err(|error| error.to_string())?;
    match entry.get_password() {
        Ok(password) => Ok(Some(password)),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether an address holds a user's name or password.
pub(crate) fn has_user_info(url: &str) -> bool {
    url.contains("://") && bare_url(url) != url
}

/// An address without what may be secret: a user's name and password, and the values of its query.
pub(crate) fn bare_url(url: &str) -> String {
    let (url, fragment) = url.split_once('#').map_or((url, ""), |(url, _)| (url, "#(hidden)"));
    let (before, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let (scheme, rest) = before.split_once("://").map_or(("", before), |(scheme, rest)| (scheme, rest));
    let mut bare = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) if !scheme.is_empty() => {
            bare.push_str("(hidden)");
            bare.push_str(rest.get(at..).unwrap_or_default());
        }
        _ => bare.push_str(rest),
    }
    if let Some(query) = query {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, value)) if value.starts_with("${") && value.ends_with('}') => format!("{name}={value}"),
            Some((name, _)) => format!("{name}=(hidden)"),
            None => "(hidden)".to_owned(),
        };
        bare.push('?');
        bare.push_str(&query.split('&').map(hide).collect::<Vec<_>>().join("&"));
    }
    bare + fragment
}

#[cfg(test)]
mod tests;
