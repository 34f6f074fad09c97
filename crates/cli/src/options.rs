//! The command line, as clap reads it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::duration;

const EXAMPLES: &str = "\
Servers are programs that speak MCP on their standard input and output. Name one behind --, or with --stdio:

  bowline demo
  bowline list -- npx -y @modelcontextprotocol/server-everything
  bowline call echo message=hi -- npx -y @modelcontextprotocol/server-everything
  bowline read demo://log-book --stdio \"bowline demo --serve\"

Exit codes: 0 fine, 1 unexpected, 2 usage, 3 authorization needed, 4 cannot connect,
5 the tool failed or is unknown, 7 timeout, 9 protocol error, 130 interrupted.";

/// Lists, calls, reads and watches servers of the Model Context Protocol.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

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

    /// How to reach the server
    #[arg(long, global = true, value_enum, default_value_t, env = "BOWLINE_TRANSPORT", help_heading = "Server")]
    pub(crate) transport: TransportChoice,

    /// The protocol revision to ask for, such as 2025-06-18 [default: the newest with a handshake]
    #[arg(long, global = true, env = "BOWLINE_REVISION", help_heading = "Server")]
    pub(crate) revision: Option<String>,

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
}

impl Global {
    /// The form of the output, `--json` considered.
    pub(crate) const fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
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
        std::env::var_os("BOWLINE_OUTPUT").is_some_and(|value| value == "json")
    }

    /// The options under which an unreadable command line is reported as JSON.
    pub(crate) const fn for_json_errors() -> Self {
        Self {
            stdio: None,
            transport: TransportChoice::Auto,
            revision: None,
            env: Vec::new(),
            inherit_env: InheritEnv::Safe,
            cwd: None,
            roots: Vec::new(),
            timeout: None,
            max_time: None,
            connect_timeout: None,
            output: Format::Json,
            json: true,
            quiet: false,
            verbose: 0,
            no_color: true,
            no_pager: true,
        }
    }
}

/// How to reach a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportChoice {
    /// Told by how the server is named
    #[default]
    Auto,
    /// A program's standard input and output
    Stdio,
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

/// The server, behind `--`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server's program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A first look: every feature once, against a server inside this program
    Demo(Demo),
    /// What a server has: tools as function signatures
    #[command(visible_aliases = ["ls", "tools"])]
    List(List),
    /// What a server says about itself, or about one of its tools
    Info(Info),
    /// Calls a tool
    Call(Call),
    /// Reads a resource
    Read(Read),
    /// Fills in a prompt
    Prompt(Prompt),
    /// Asks for suggestions for an argument
    Complete(Complete),
    /// Tells how long the server takes to answer
    Ping(Ping),
    /// Prints changes as they come, one line an event
    Watch(Watch),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fill in the server's form yourself; needs a terminal
    #[arg(long, env = "BOWLINE_ASK", value_parser = FalseyValueParser::new(), conflicts_with = "serve")]
    pub(crate) ask: bool,
    /// Be the demo server on standard input and output
    #[arg(long, env = "BOWLINE_SERVE", value_parser = FalseyValueParser::new())]
    pub(crate) serve: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(hide = true)]
    pub(crate) target: Option<String>,
    /// Resources instead of tools
    #[arg(long, env = "BOWLINE_RESOURCES", value_parser = FalseyValueParser::new())]
    pub(crate) resources: bool,
    /// Resource templates instead of tools
    #[arg(long, env = "BOWLINE_TEMPLATES", value_parser = FalseyValueParser::new())]
    pub(crate) templates: bool,
    /// Prompts instead of tools
    #[arg(long, env = "BOWLINE_PROMPTS", value_parser = FalseyValueParser::new())]
    pub(crate) prompts: bool,
    /// All of them
    #[arg(long, env = "BOWLINE_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `info`.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// A tool of the server
    pub(crate) tool: Option<String>,
    /// The tool's schemas as one JSON document
    #[arg(long, requires = "tool", env = "BOWLINE_SCHEMA", value_parser = FalseyValueParser::new())]
    pub(crate) schema: bool,
    /// The schema of the tool's arguments
    #[arg(long, requires = "tool", env = "BOWLINE_INPUT_SCHEMA", value_parser = FalseyValueParser::new(), conflicts_with_all = ["schema", "output_schema"])]
    pub(crate) input_schema: bool,
    /// The schema of the tool's structured result
    #[arg(long, requires = "tool", env = "BOWLINE_OUTPUT_SCHEMA", value_parser = FalseyValueParser::new(), conflicts_with = "schema")]
    pub(crate) output_schema: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `call`.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The tool
    pub(crate) tool: String,
    /// key=value typed by the tool's schema, key:=json, key=@file, or one JSON object
    #[arg(value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// Arguments as a JSON object; single arguments win over it
    #[arg(long, value_name = "JSON", env = "BOWLINE_ARGS_JSON", hide_env_values = true)]
    pub(crate) args_json: Vec<String>,
    /// A file with arguments as a JSON object, - for standard input; --args-json wins over it
    #[arg(long, value_name = "FILE", env = "BOWLINE_ARGS_FILE")]
    pub(crate) args_file: Vec<String>,
    /// Takes every key=value as a string as it stands
    #[arg(long, env = "BOWLINE_RAW_STRINGS", value_parser = FalseyValueParser::new())]
    pub(crate) raw_strings: bool,
    #[command(flatten)]
    pub(crate) save: Save,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Where binary content goes.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// Writes binary content into files of this folder
    #[arg(long = "save", value_name = "DIR", env = "BOWLINE_SAVE")]
    pub(crate) folder: Option<PathBuf>,
}

/// Options of `read`.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// The resource
    pub(crate) uri: String,
    #[command(flatten)]
    pub(crate) save: Save,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `prompt`.
#[derive(Debug, Args)]
pub(crate) struct Prompt {
    /// The prompt
    pub(crate) name: String,
    /// key=value, or key=@file
    #[arg(value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    #[command(flatten)]
    pub(crate) save: Save,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `complete`.
#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// prompt:NAME or resource:URI-TEMPLATE
    pub(crate) reference: String,
    /// The argument and what is typed of it so far
    #[arg(value_name = "ARGUMENT=VALUE")]
    pub(crate) argument: String,
    /// Another argument that has a value already; may be repeated
    #[arg(long, value_name = "K=V", env = "BOWLINE_CONTEXT")]
    pub(crate) context: Vec<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `ping`.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    #[arg(hide = true)]
    pub(crate) target: Option<String>,
    /// How many times
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000), env = "BOWLINE_COUNT")]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Resources to subscribe to
    #[arg(value_name = "URI")]
    pub(crate) uris: Vec<String>,
    /// Ends by itself after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse, env = "BOWLINE_FOR")]
    pub(crate) for_time: Option<Duration>,
    /// Ends by itself after so many events
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..), env = "BOWLINE_COUNT")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("bowline").chain(words.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_stands_behind_two_hyphens_is_the_server() {
        let cli = parse("call echo message=hi n=-5 --json -- npx -y server --json").unwrap();
        assert!(cli.global.json);
        let Command::Call(call) = cli.command else { panic!() };
        assert_eq!((call.tool.as_str(), call.arguments.len()), ("echo", 2));
        assert_eq!(call.server.command, ["npx", "-y", "server", "--json"]);
    }

    #[test]
    fn json_is_asked_for_before_the_server_alone() {
        let wants = |words: &str| Global::wants_json(words.split(' ').map(OsString::from));
        assert!(wants("call --json x") && wants("call --output json") && wants("--output=json"));
        assert!(!wants("call -- server --json") && !wants("list"));
    }

    #[test]
    fn every_option_has_a_variable() {
        let command = Cli::command();
        let all = std::iter::once(&command).chain(command.get_subcommands());
        for arg in all.flat_map(clap::Command::get_arguments).filter(|arg| arg.get_long().is_some()) {
            if matches!(arg.get_id().as_str(), "help" | "version") {
                continue;
            }
            let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            assert!(variable.starts_with("BOWLINE_"), "{}", arg.get_id());
        }
    }

    #[test]
    fn contradictions_and_unknown_words_are_usage_errors() {
        for words in ["", "lst", "list --nope", "info --schema", "call", "demo --ask --serve", "list --timeout 5d"] {
            assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }
}
