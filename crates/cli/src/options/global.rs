//! Options of every command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, ValueEnum};

use crate::duration;

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The server as one line, split into words as a shell would
    #[arg(
        long,
        global = true,
        value_name = "COMMAND LINE",
        env = "BOWLINE_STDIO",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) stdio: Option<String>,

    /// A configuration file, which wins over those that are looked for; may be repeated
    #[arg(long, global = true, value_name = "FILE", env = "BOWLINE_CONFIG", help_heading = "Server")]
    pub(crate) config: Vec<PathBuf>,

    /// Answers what a configuration asks for by ${input:ID}; the value may be env:VAR or file:PATH; may be repeated
    #[arg(
        long,
        global = true,
        value_name = "ID=VALUE",
        env = "BOWLINE_INPUT",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) input: Vec<String>,

    /// How to reach the server; a URL's scheme says it too
    #[arg(long, global = true, value_enum, default_value_t, env = "BOWLINE_TRANSPORT", help_heading = "Server")]
    pub(crate) transport: TransportChoice,

    /// The one protocol revision to speak, such as 2025-06-18 [default: the newest that the server speaks]
    #[arg(long, global = true, env = "BOWLINE_REVISION", help_heading = "Server")]
    pub(crate) revision: Option<String>,

    /// Sends a header to a server with a URL; the value may be env:VAR or file:PATH; may be repeated
    #[arg(
        short = 'H',
        long,
        global = true,
        value_name = "K: V",
        env = "BOWLINE_HEADER",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) header: Vec<String>,

    /// Sends a bearer token to a server with a URL, taken from this variable
    #[arg(long, global = true, value_name = "VAR", env = "BOWLINE_BEARER_ENV", help_heading = "Server")]
    pub(crate) bearer_env: Option<String>,

    /// Takes any certificate, from servers on this machine alone
    #[arg(
        long,
        global = true,
        alias = "danger-accept-invalid-certs",
        env = "BOWLINE_INSECURE",
        value_parser = FalseyValueParser::new(),
        help_heading = "Server"
    )]
    pub(crate) insecure: bool,

    /// Sets a variable for the server; the value may be env:VAR or file:PATH
    #[arg(
        short,
        long,
        global = true,
        value_name = "K=V",
        env = "BOWLINE_ENV",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) env: Vec<String>,

    /// Which variables of this environment the server gets
    #[arg(long, global = true, value_enum, default_value_t, env = "BOWLINE_INHERIT_ENV", help_heading = "Server")]
    pub(crate) inherit_env: InheritEnv,

    /// The server's working directory
    #[arg(long, global = true, value_name = "DIR", env = "BOWLINE_CWD", help_heading = "Server")]
    pub(crate) cwd: Option<PathBuf>,

    /// A folder that the server may know about; may be repeated
    #[arg(long, global = true, value_name = "DIR", env = "BOWLINE_ROOTS", help_heading = "Server")]
    pub(crate) roots: Vec<PathBuf>,

    /// Lets calls go that the policy would ask about; a definition that changed is not among them
    #[arg(short, long, global = true, env = "BOWLINE_YES", value_parser = FalseyValueParser::new(), help_heading = "Guard")]
    pub(crate) yes: bool,

    /// Believes what the server says of its tools, such as that one only reads
    #[arg(long, global = true, env = "BOWLINE_TRUST", value_parser = FalseyValueParser::new(), help_heading = "Guard")]
    pub(crate) trust: bool,

    /// The policy [default: policy.toml beside your bowline.toml; without one, what only reads goes, and the rest asks]
    #[arg(long, global = true, value_name = "FILE", env = "BOWLINE_POLICY", help_heading = "Guard")]
    pub(crate) policy: Option<PathBuf>,

    /// Where definitions are pinned, also those of a server given by hand [default: the command's own, for configured servers]
    #[arg(long, global = true, value_name = "FILE", env = "BOWLINE_LOCK", help_heading = "Guard")]
    pub(crate) lock: Option<PathBuf>,

    /// Puts calls on record in this file
    #[arg(long, global = true, value_name = "FILE", env = "BOWLINE_AUDIT", help_heading = "Guard")]
    pub(crate) audit: Option<PathBuf>,

    /// Who calls, for rules and the record [default: the name of your account]
    #[arg(long, global = true, value_name = "NAME", env = "BOWLINE_CALLER", help_heading = "Guard")]
    pub(crate) caller: Option<String>,

    /// Leaves questions to `bowline guard approve`, and waits for the answer so long, in which --timeout does not count; --max-time does
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, env = "BOWLINE_DEFER", help_heading = "Guard")]
    pub(crate) defer: Option<Duration>,

    /// The longest silence of a request; progress starts it anew [default: 60s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, env = "BOWLINE_TIMEOUT", help_heading = "Time")]
    pub(crate) timeout: Option<Duration>,

    /// The longest a request may take in all [default: 10m]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, env = "BOWLINE_MAX_TIME", help_heading = "Time")]
    pub(crate) max_time: Option<Duration>,

    /// The longest that starting the server and shaking hands may take [default: 30s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, env = "BOWLINE_CONNECT_TIMEOUT", help_heading = "Time")]
    pub(crate) connect_timeout: Option<Duration>,

    /// The form of what goes to standard output
    #[arg(long, global = true, value_enum, default_value_t, env = "BOWLINE_OUTPUT", help_heading = "Output")]
    pub(crate) output: Format,

    /// Short for --output json
    #[arg(long, global = true, env = "BOWLINE_JSON", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(crate) json: bool,

    /// Says nothing but results and errors, whatever -v says
    #[arg(short, long, global = true, env = "BOWLINE_QUIET", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Says more on standard error: logs, progress and the server's own words; twice: what the library does
    #[arg(short, long, global = true, action = ArgAction::Count, env = "BOWLINE_VERBOSE", help_heading = "Output")]
    pub(crate) verbose: u8,

    /// No colours; NO_COLOR does the same
    #[arg(long, global = true, env = "BOWLINE_NO_COLOR", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(crate) no_color: bool,

    /// Writes long texts straight to the terminal
    #[arg(long, global = true, env = "BOWLINE_NO_PAGER", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(crate) no_pager: bool,

    /// The options that stand on the command line itself, of those where it matters
    #[arg(skip)]
    stated: Vec<&'static str>,
}

/// Options that fit servers of one kind alone. A variable of theirs is a default and may be there for other servers.
const OF_PROGRAMS: [&str; 4] = ["stdio", "env", "inherit_env", "cwd"];
const OF_URLS: [&str; 4] = ["header", "bearer_env", "insecure", "transport"];

impl Global {
    /// The form of the output, `--json` considered.
    pub(crate) const fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }

    /// Keeps which options come from the command line, and not from variables.
    pub(super) fn remember_what_stands_in(&mut self, matches: &ArgMatches) {
        let all = OF_PROGRAMS.into_iter().chain(OF_URLS).chain(["config"]);
        self.stated = all.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine)).collect();
    }

    /// Whether the command line itself names a server with `--stdio`.
    pub(crate) fn states_stdio(&self) -> bool {
        self.stated.contains(&"stdio")
    }

    /// The configuration files that the command line itself names. Those that a variable names are defaults, and need not
    /// be there.
    pub(crate) fn stated_config(&self) -> &[PathBuf] {
        if self.stated.contains(&"config") { &self.config } else { &[] }
    }

    /// The options for a server of a configuration: variables that say what to give to a server are meant for others,
    /// whose names stand on the command line.
    pub(crate) fn for_configured(&self) -> Self {
        let mut this = self.clone();
        let stated = |name| self.stated.contains(&name);
        if !stated("header") {
            this.header.clear();
        }
        if !stated("env") {
            this.env.clear();
        }
        this.bearer_env = this.bearer_env.filter(|_| stated("bearer_env"));
        this.cwd = this.cwd.filter(|_| stated("cwd"));
        this
    }

    /// An option on the command line that does nothing for servers that are programs.
    pub(crate) fn stated_for_urls(&self) -> Option<String> {
        let fits = |name: &&str| *name == "transport" && self.transport.fits_programs();
        self.stated(OF_URLS.iter().filter(|name| !fits(name)))
    }

    /// An option on the command line that does nothing for sockets.
    pub(crate) fn stated_for_the_web(&self) -> Option<String> {
        self.stated(OF_URLS.iter().filter(|name| **name != "transport" || self.transport != TransportChoice::Auto))
    }

    /// An option on the command line that does nothing for servers with a URL.
    pub(crate) fn stated_for_programs(&self) -> Option<String> {
        self.stated(OF_PROGRAMS.iter())
    }

    fn stated<'a>(&self, mut names: impl Iterator<Item = &'a &'a str>) -> Option<String> {
        names.find(|name| self.stated.contains(*name)).map(|name| format!("--{}", name.replace('_', "-")))
    }

    /// Whether a command line that could not be read asks for JSON.
    pub(crate) fn wants_json(words: impl IntoIterator<Item = OsString>) -> bool {
        let mut before = OsString::new();
        for word in words.into_iter().take_while(|word| word != "--") {
            if word == "--json" || word == "--output=json" || (before == "--output" && word == "json") {
                return true;
            }
            before = word;
        }
        const OFF: [&str; 7] = ["", "0", "false", "f", "no", "n", "off"];
        let is_off = |value: OsString| OFF.iter().any(|off| value.eq_ignore_ascii_case(off));
        std::env::var_os("BOWLINE_JSON").is_some_and(|value| !is_off(value))
            || std::env::var_os("BOWLINE_OUTPUT").is_some_and(|value| value == "json")
    }

    /// The options under which an unreadable command line is reported as JSON.
    pub(crate) const fn for_json_errors() -> Self {
        Self {
            stdio: None,
            config: Vec::new(),
            input: Vec::new(),
            transport: TransportChoice::Auto,
            revision: None,
            header: Vec::new(),
            bearer_env: None,
            insecure: false,
            env: Vec::new(),
            inherit_env: InheritEnv::Safe,
            cwd: None,
            roots: Vec::new(),
            yes: false,
            trust: false,
            policy: None,
            lock: None,
            audit: None,
            caller: None,
            defer: None,
            timeout: None,
            max_time: None,
            connect_timeout: None,
            output: Format::Json,
            json: true,
            quiet: false,
            verbose: 0,
            no_color: true,
            no_pager: true,
            stated: Vec::new(),
        }
    }
}

/// How to reach a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportChoice {
    /// Told by how the server is named; for http: and https: as http-first
    #[default]
    Auto,
    /// Streamable HTTP alone
    Http,
    /// HTTP+SSE of 2024-11-05 alone
    Sse,
    /// WebSocket
    Ws,
    /// A program's standard input and output
    Stdio,
    /// Streamable HTTP, and HTTP+SSE where the server has no other
    HttpFirst,
    /// HTTP+SSE, and Streamable HTTP where the server has no other
    SseFirst,
}

impl TransportChoice {
    /// Whether a server that is a program can be reached this way.
    pub(crate) const fn fits_programs(self) -> bool {
        matches!(self, Self::Auto | Self::Stdio)
    }
}

/// Which variables of this environment a server gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InheritEnv {
    /// All of them, secrets too
    All,
    /// Those that programs need to run: PATH, HOME, language, temporary folders
    #[default]
    Safe,
    /// None
    None,
}

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text
    #[default]
    Auto,
    /// Text for people, made harmless
    Text,
    /// One JSON document: the result with all its members
    Json,
    /// The bytes of the content and nothing else
    Raw,
    /// Markdown, made harmless
    Md,
}
