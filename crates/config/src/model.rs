//! The one model that all files are read into.

use std::fmt;
use std::time::Duration;

use bowline_protocol::matches_wildcard;

use crate::resolve::{bare_url, has_user_info};
use crate::settings::{Layers, Pool};
use crate::tree::Plain;
use crate::{Host, Place, Scope, Template};

/// A server of a configuration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Server {
    /// What it is called.
    pub name: String,
    /// Whose file it is in.
    pub host: Host,
    /// Whom that file is for.
    pub scope: Scope,
    /// Where it stands.
    pub place: Place,
    /// How it is reached.
    pub transport: Transport,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether the person trusts the folder whose file names it. A server that is not trusted cannot be
    /// [resolved](Self::resolve).
    pub trusted: bool,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// Which of its tools may be used, and which without asking.
    pub tools: ToolRules,
    /// Which of its prompts may be used (bowline's own file).
    pub prompts: NameRules,
    /// Which of its resources may be read, by their URIs (bowline's own file).
    pub resources: NameRules,
    /// Whether what it says of its tools (annotations) is believed (bowline's own file). Where nothing is set, whoever
    /// guards its calls decides.
    pub trust: Option<bool>,
    /// What the file says about authorization.
    pub auth: Auth,
    /// Connections and replicas (bowline's own file).
    pub pool: Option<Pool>,
    /// Layers around calls (bowline's own file).
    pub layers: Layers,
    /// The name of the policy that it is under (bowline's own file).
    pub policy: Option<String>,
    /// What its entry says that has no meaning here. It stays in the file.
    pub extra: Vec<Extra>,
}

/// How a server is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Transport {
    /// A program to start, spoken to over its standard input and output.
    Stdio(Box<Stdio>),
    /// A server that runs already.
    Remote(Box<Remote>),
}

/// A program to start.
#[derive(Clone)]
#[non_exhaustive]
pub struct Stdio {
    /// The program. Never split at spaces, but for the one case that [`Server::resolve`] tells of.
    pub command: Template,
    /// Its arguments, each whole.
    pub args: Vec<Template>,
    /// Variables that are set for it.
    pub env: Vec<(String, Template)>,
    /// A file with more variables; those of [`env`](Self::env) win.
    pub env_file: Option<Template>,
    /// Its working directory.
    pub cwd: Option<Template>,
}

/// A server that runs already.
#[derive(Clone)]
#[non_exhaustive]
pub struct Remote {
    /// Its address.
    pub url: Template,
    /// How it is spoken to.
    pub way: Way,
    /// Headers of each request.
    pub headers: Vec<(String, Template)>,
    /// A bearer token, where the file has it apart from the headers.
    pub bearer: Option<Template>,
}

/// How a server with an address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// As the scheme of the address says; Streamable HTTP first, then HTTP+SSE, where it is http.
    Auto,
    /// Streamable HTTP alone.
    Http,
    /// HTTP+SSE alone.
    Sse,
    /// HTTP+SSE first, then Streamable HTTP.
    SseFirst,
    /// WebSocket.
    WebSocket,
}

/// How long to wait for a server. What is not set is left to the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For its start and the handshake.
    pub connect: Option<Duration>,
    /// For the next sign of life during a call.
    pub idle: Option<Duration>,
    /// For a call in all.
    pub total: Option<Duration>,
}

/// Which tools may be used. Patterns may hold `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolRules {
    /// These alone, where it is set.
    pub allow: Option<Vec<String>>,
    /// Not these; it wins over [`allow`](Self::allow).
    pub deny: Vec<String>,
    /// These without asking the person.
    pub approve: Vec<String>,
}

/// Which prompts or resources may be used. Patterns may hold `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameRules {
    /// These alone, where it is set.
    pub allow: Option<Vec<String>>,
    /// Not these; it wins over [`allow`](Self::allow).
    pub deny: Vec<String>,
}

impl NameRules {
    /// Whether something of this name, or this URI, may be used.
    pub fn permits(&self, name: &str) -> bool {
        permits(self.allow.as_deref(), &self.deny, name)
    }
}

fn permits(allow: Option<&[String]>, deny: &[String], name: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches_wildcard(pattern, name));
    !any(deny) && allow.is_none_or(any)
}

impl ToolRules {
    /// Whether a tool may be used.
    pub fn permits(&self, tool: &str) -> bool {
        permits(self.allow.as_deref(), &self.deny, tool)
    }

    /// Whether a tool may be used without asking the person.
    pub fn approves(&self, tool: &str) -> bool {
        self.permits(tool) && self.approve.iter().any(|pattern| matches_wildcard(pattern, tool))
    }
}

/// What a file says about authorization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Auth {
    /// Whether OAuth is wanted (`true`), not wanted, or left to the server.
    pub oauth: Option<bool>,
    /// The client's registered name.
    pub client_id: Option<Template>,
    /// The client's secret.
    pub client_secret: Option<Template>,
    /// What to ask for.
    pub scopes: Vec<String>,
    /// Where the authorization server describes itself.
    pub metadata_url: Option<String>,
    /// Where the browser is sent back to.
    pub redirect_uri: Option<String>,
    /// The port of this machine that the browser is sent back to.
    pub callback_port: Option<u16>,
}

/// What an entry says that has no meaning here.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extra {
    /// The key.
    pub key: String,
    /// Where its value stands.
    pub place: Place,
    pub(crate) value: Plain,
}

impl fmt::Debug for Extra {
    /// The key and the place alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.key, self.place)
    }
}

impl Server {
    /// The variables that its texts hold.
    pub fn variables(&self) -> impl Iterator<Item = &crate::Variable> {
        self.texts().into_iter().flat_map(Template::variables)
    }

    /// Whether something in its texts looks like a variable and is none, and so is taken as it stands.
    pub fn has_odd_variables(&self) -> bool {
        self.texts().into_iter().any(Template::is_odd)
    }

    fn texts(&self) -> Vec<&Template> {
        let mut texts = Vec::new();
        match &self.transport {
            Transport::Stdio(stdio) => stdio.texts(&mut texts),
            Transport::Remote(remote) => remote.texts(&mut texts),
        }
        texts
    }
}

impl Stdio {
    /// All texts that may have variables.
    pub(crate) fn texts<'t>(&'t self, all: &mut Vec<&'t Template>) {
        all.push(&self.command);
        all.extend(&self.args);
        all.extend(self.env.iter().map(|(_, value)| value));
        all.extend(&self.env_file);
        all.extend(&self.cwd);
    }

    /// The same, to be changed.
    pub(crate) fn texts_mut(&mut self) -> Vec<&mut Template> {
        let Self { command, args, env, env_file, cwd } = self;
        let env = env.iter_mut().map(|(_, value)| value);
        std::iter::once(command).chain(args).chain(env).chain(env_file).chain(cwd).collect()
    }

    /// The command as it may be shown. Where the arguments stand in it, as `npx -y package --token=x`, they are shown as
    /// [`shown_args`](Self::shown_args) does.
    pub fn shown_command(&self) -> String {
        let line = self.command.shown();
        // As it is taken apart when it is started: a header may be one word of several in quotes.
        let words = shlex::split(&line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect());
        let shown = without_secrets(words.iter().map(|word| (word.clone(), "(hidden)".to_owned())));
        // What has nothing to hide stays as it is, with its spaces.
        if shown.iter().zip(&words).all(|(shown, word)| shown == word) { line } else { shown.join(" ") }
    }

    /// The arguments as they may be shown: what follows a word such as `--token` is hidden.
    pub fn shown_args(&self) -> Vec<String> {
        without_secrets(self.args.iter().map(|arg| (arg.shown(), arg.masked())))
    }
}

impl Remote {
    /// All texts that may have variables.
    pub(crate) fn texts<'t>(&'t self, all: &mut Vec<&'t Template>) {
        all.push(&self.url);
        all.extend(self.headers.iter().map(|(_, value)| value));
        all.extend(&self.bearer);
    }

    /// The same, to be changed.
    pub(crate) fn texts_mut(&mut self) -> Vec<&mut Template> {
        let Self { url, headers, bearer, way: _ } = self;
        std::iter::once(url).chain(headers.iter_mut().map(|(_, value)| value)).chain(bearer).collect()
    }

    /// The address as it may be shown: without a password, and without the values of its query.
    pub fn shown_url(&self) -> String {
        bare_url(&self.url.shown())
    }
}

/// Words of a command line, each with what is shown in its place where it is a secret.
fn without_secrets(words: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut before = String::new();
    let shown = words.map(|(text, masked)| {
        let flag = std::mem::replace(&mut before, text.clone());
        let is_header = flag == "-H" || flag == "--header";
        match (text.split_once('='), text.split_once(':')) {
            _ if flag.starts_with('-') && !flag.contains('=') && sounds_secret(&flag) => masked,
            // A header, as bridges to servers with an address are given.
            (_, Some((name, _))) if is_header || sounds_secret(name) => format!("{name}: (hidden)"),
            (Some((name, _)), _) if sounds_secret(name) => format!("{name}=(hidden)"),
            _ if has_user_info(&text) => bare_url(&text),
            _ => text,
        }
    });
    shown.collect()
}

/// Whether the name of something says that it is a secret.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "key", "auth", "credential", "pat"].iter().any(|word| {
        name.split(['-', '_', '.', ' ']).any(|part| part == *word) || (word.len() > 3 && name.contains(word))
    })
}

/// The names alone: their values may be secret.
struct Names<'a>(&'a [(String, Template)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value))).finish()
    }
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdio")
            .field("command", &self.shown_command())
            .field("args", &self.shown_args())
            .field("env", &Names(&self.env))
            .field("env_file", &self.env_file)
            .field("cwd", &self.cwd.as_ref().map(Template::shown))
            .finish()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.shown_url())
            .field("way", &self.way)
            .field("headers", &Names(&self.headers))
            .field("bearer", &self.bearer)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_wins_and_stars_stand_for_anything() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let rules = ToolRules {
            allow: Some(words(&["read_*", "*_list", "a*b*c"])),
            deny: words(&["read_secret"]),
            approve: words(&["read_file", "read_secret"]),
        };
        let permitted = ["read_file", "read_", "my_list", "abc", "a-b-c"];
        let refused = ["write", "read_secret", "list", "ab", "acb", "reads"];
        assert!(permitted.iter().all(|tool| rules.permits(tool)), "{permitted:?}");
        assert!(!refused.iter().any(|tool| rules.permits(tool)), "{refused:?}");
        assert!(rules.approves("read_file") && !rules.approves("read_secret"));
        assert!(ToolRules::default().permits("any") && !ToolRules::default().approves("any"));
    }

    #[test]
    fn what_follows_a_word_for_a_secret_is_hidden() {
        let place = Place::whole("f");
        let stdio = Stdio {
            command: Template::literal("srv", place.clone()),
            args: [
                "--header",
                "X-Id: t0p",
                "-H",
                "Authorization:Bearer t0p",
                "--token",
                "t0p",
                "--api-key=t0p",
                "--dir",
                "/x",
                "https://u:t0p@h/?k=t0p",
                "--keyboard",
                "us",
            ]
            .map(|arg| Template::literal(arg, place.clone()))
            .to_vec(),
            env: vec![("A".to_owned(), Template::literal("t0p", place))],
            env_file: None,
            cwd: None,
        };
        let shown = format!("{stdio:?}");
        assert!(!shown.contains("t0p"), "{shown}");
        assert!(shown.contains("/x") && shown.contains("\"us\"") && shown.contains("\"A\""), "{shown}");
    }

    #[test]
    fn a_command_with_its_arguments_in_one_line_hides_the_same() {
        let shown = |command: &str| {
            let command = Template::literal(command, Place::whole("f"));
            Stdio { command, args: Vec::new(), env: Vec::new(), env_file: None, cwd: None }.shown_command()
        };
        assert_eq!(shown("npx -y pkg --token=t0p"), "npx -y pkg --token=(hidden)");
        assert_eq!(shown("npx -y  pkg --api-key t0p -x"), "npx -y pkg --api-key (hidden) -x");
        assert_eq!(shown("srv https://u:t0p@h/?k=t0p"), "srv https://(hidden)@h/?k=(hidden)");
        let header = "srv https://h --header \"Authorization: Bearer t0p\" -x";
        assert_eq!(shown(header), "srv https://h --header Authorization: (hidden) -x");
        assert_eq!(shown("'/opt/My srv' --token 't0 p'"), "/opt/My srv --token (hidden)");
        assert_eq!(shown("srv --token=t0p \"half"), "srv --token=(hidden) \"half");
        for plain in ["npx", "/opt/My  App/srv", "npx -y pkg", "srv \"a  b\""] {
            assert_eq!(shown(plain), plain);
        }
    }
}
