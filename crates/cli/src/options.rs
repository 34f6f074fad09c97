//! The command line, as clap reads it.

mod auth;
mod chat;
mod config;
mod doctor;
mod examples;
mod global;
mod guard;
mod kit;
mod manual;
mod scan;
mod search;
mod target;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bowline::OutputSchemas;
use clap::builder::FalseyValueParser;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use self::auth::{Auth, AuthCommand, Login};
pub(crate) use self::chat::{ApproveChoice, Chat};
pub(crate) use self::config::{Add, Config, ConfigCommand, Export, Import, Remove, ScopeChoice, Trust};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::global::{Format, Global, InheritEnv, TransportChoice};
pub(crate) use self::guard::{
    Accept, Answers, AuditCommand, AuditOptions, Decide, Definitions, Explain, Guard, GuardCommand,
};
pub(crate) use self::kit::{Bench, DirectionChoice, Inspect, Record, Replay, Secrets};
pub(crate) use self::manual::{Completions, Man};
pub(crate) use self::scan::Scan;
pub(crate) use self::search::{Among, Grep, Search};
use crate::duration;

const EXAMPLES: &str = "\
A server is a name from a configuration file or a URL (http:, https:, ws:, wss:, unix:, tcp:), which come first, or a
program that speaks MCP on its standard input and output, behind -- or with --stdio:

  bowline demo
  bowline list http://127.0.0.1:3000/mcp
  bowline call http://127.0.0.1:3000/mcp echo message=hi
  bowline list -- npx -y @modelcontextprotocol/server-everything
  bowline call echo message=hi -- npx -y @modelcontextprotocol/server-everything
  bowline read demo://log-book --stdio \"bowline demo --serve\"
  bowline add tickets https://tickets.example/mcp -H \"X-Key: env:TICKETS_KEY\"
  bowline tickets.list_tickets status=open
  bowline search \"open an issue\"
  bowline chat -p \"what is open?\" --model anthropic/NAME

Exit codes: 0 fine, 1 unexpected, 2 usage, 3 authorization needed, 4 cannot connect,
5 the tool failed or is unknown, 6 denied by policy or configuration or found by a scan, 7 timeout,
8 a pinned definition changed, 9 protocol error, 130 interrupted.";

/// Lists, calls, reads and watches servers of the Model Context Protocol.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads this program's command line.
    ///
    /// For the two commonest things no verb is needed: `bowline NAME` lists, `bowline NAME.tool …` calls.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let words: Vec<OsString> = std::env::args_os().collect();
        Self::from_words(words.clone()).or_else(|error| match crate::configured::verb_for(&error, &words) {
            Some((at, verb)) => {
                let (before, behind) = words.split_at(at);
                Self::from_words(before.iter().cloned().chain([verb.into()]).chain(behind.iter().cloned()))
            }
            None => Err(error),
        })
    }

    /// The command line as it is defined, for whoever writes about it.
    pub(crate) fn definition() -> clap::Command {
        Self::command()
    }

    pub(crate) fn from_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.global.remember_what_stands_in(&matches);
        Ok(cli)
    }
}

/// The server: behind `--`, or a URL or a name among the words before.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The URL, once it is told from the other words
    #[arg(skip)]
    pub(crate) url: Option<String>,
    /// The server of a configuration file, once its name is told from the other words
    #[arg(skip)]
    pub(crate) configured: Option<Box<crate::configured::Configured>>,
    /// The server's program and its arguments, where no URL comes first
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A first look: every feature once, against a server inside this program
    Demo(Demo),
    /// What a server has: tools as function signatures; without a server, the servers of the configuration
    #[command(visible_aliases = ["ls", "tools"])]
    #[command(override_usage = "bowline list [OPTIONS] [SERVER] [-- <COMMAND>...]")]
    List(List),
    /// What a server says about itself, or about one of its tools
    #[command(override_usage = "bowline info [OPTIONS] [SERVER] [TOOL] [-- <COMMAND>...]")]
    Info(Info),
    /// Finds tools of all servers of the configuration by words
    Search(Search),
    /// Finds tools of all servers of the configuration by a pattern of their names
    Grep(Grep),
    /// Calls a tool
    #[command(override_usage = "bowline call [OPTIONS] [SERVER] <TOOL> [ARGUMENT]... [-- <COMMAND>...]")]
    Call(Call),
    /// Talks with a model that uses the tools of servers
    #[command(override_usage = "bowline chat [OPTIONS] [SERVER]... [-- <COMMAND>...]")]
    Chat(Chat),
    /// Reads a resource
    #[command(override_usage = "bowline read [OPTIONS] [SERVER] <URI> [-- <COMMAND>...]")]
    Read(Read),
    /// Fills in a prompt
    #[command(override_usage = "bowline prompt [OPTIONS] [SERVER] <NAME> [ARGUMENT]... [-- <COMMAND>...]")]
    Prompt(Prompt),
    /// Logs in to servers that want it, and out of them
    Auth(Auth),
    /// Asks for suggestions for an argument
    #[command(override_usage = "bowline complete [OPTIONS] [SERVER] <REFERENCE> <ARGUMENT=VALUE> [-- <COMMAND>...]")]
    Complete(Complete),
    /// Tells how long the server takes to answer
    #[command(override_usage = "bowline ping [OPTIONS] [SERVER] [-- <COMMAND>...]")]
    Ping(Ping),
    /// Finds what keeps servers from working here, and tells the way out
    #[command(override_usage = "bowline doctor [OPTIONS] [SERVER] [-- <COMMAND>...]")]
    Doctor(Doctor),
    /// Prints changes as they come, one line an event
    #[command(override_usage = "bowline watch [OPTIONS] [SERVER] [URI]... [-- <COMMAND>...]")]
    Watch(Watch),
    /// Shows every frame that passes, one line each
    #[command(override_usage = "bowline inspect [OPTIONS] [SERVER] [-- <COMMAND>...]")]
    Inspect(Inspect),
    /// Puts a client through to a server, and records what passes
    #[command(override_usage = "bowline record --file <FILE> [OPTIONS] [SERVER] [-- <COMMAND>...]")]
    Record(Record),
    /// Is the server of a recording
    Replay(Replay),
    /// Calls a tool many times, and tells how long it takes
    #[command(override_usage = "bowline bench [OPTIONS] [SERVER] <TOOL> [ARGUMENT]... [-- <COMMAND>...]")]
    Bench(Bench),
    /// What makes the servers of the configuration a risk: packages without a version, secrets in files, hidden text
    Scan(Scan),
    /// Puts a server into a configuration file
    #[command(
        override_usage = "bowline add [OPTIONS] <NAME> <URL>\n       bowline add [OPTIONS] <NAME> -- <COMMAND>..."
    )]
    Add(Add),
    /// Takes a server out of a configuration file
    #[command(visible_alias = "rm", after_help = examples::REMOVE)]
    Remove(Remove),
    /// The servers of configuration files, where they come from, and what is wrong with them
    Config(Config),
    /// What servers may do: the policy, pins, and calls that wait for approval
    Guard(Guard),
    /// The record of calls
    Audit(AuditOptions),
    /// Prints what a shell needs to complete words of this command
    Completions(Completions),
    /// Prints the manual page of a command, or writes all of them
    Man(Man),
}

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = examples::DEMO)]
pub(crate) struct Demo {
    /// Fill in the server's form yourself; needs a terminal
    #[arg(long, env = "BOWLINE_ASK", value_parser = FalseyValueParser::new(), conflicts_with = "serve")]
    pub(crate) ask: bool,
    /// Be the demo server on standard input and output
    #[arg(long, env = "BOWLINE_SERVE", value_parser = FalseyValueParser::new())]
    pub(crate) serve: bool,
}

/// What `list` says of itself.
const LIST_EXAMPLES: &str = "Examples:
  bowline list                       the servers of the configuration
  bowline list tickets               the tools of one of them; `bowline tickets` does the same
  bowline list --all                 the tools of all of them, as far as they answer
  bowline list --group work --prompts
  bowline list https://tickets.example/mcp --resources";

/// Options of `list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct List {
    /// The server's URL or name
    #[arg(value_name = "SERVER")]
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
    /// All of them; without a server, those of all servers of the configuration
    #[arg(long, env = "BOWLINE_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
    /// Those of all servers of this group of the configuration
    #[arg(long, value_name = "GROUP", env = "BOWLINE_GROUP", conflicts_with = "target")]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `info`.
#[derive(Debug, Args)]
#[command(after_help = examples::INFO)]
pub(crate) struct Info {
    /// A tool of the server
    pub(crate) tool: Option<String>,
    /// The last of the words above where a server comes first
    #[arg(hide = true)]
    pub(crate) more: Option<String>,
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

/// Arguments of a tool.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// key=value typed by the tool's schema, key:=json, key=@file, or one JSON object
    #[arg(value_name = "ARGUMENT")]
    pub(crate) words: Vec<String>,
    /// Arguments as a JSON object; single arguments win over it
    #[arg(long, value_name = "JSON", env = "BOWLINE_ARGS_JSON", hide_env_values = true)]
    pub(crate) args_json: Vec<String>,
    /// A file with arguments as a JSON object, - for standard input; --args-json wins over it
    #[arg(long, value_name = "FILE", env = "BOWLINE_ARGS_FILE")]
    pub(crate) args_file: Vec<String>,
    /// Takes every key=value as a string as it stands
    #[arg(long, env = "BOWLINE_RAW_STRINGS", value_parser = FalseyValueParser::new())]
    pub(crate) raw_strings: bool,
}

/// Options of `call`.
#[derive(Debug, Args)]
#[command(after_help = examples::CALL)]
pub(crate) struct Call {
    /// The tool
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) given: Arguments,
    /// Lets the call go on as a task, where the server has tasks, and shows how it stands
    #[arg(long, env = "BOWLINE_TASK", value_parser = FalseyValueParser::new())]
    pub(crate) task: bool,
    /// What to do with a structured result that does not fit the tool's output schema [default: warn]
    #[arg(long, value_name = "POLICY", value_enum, env = "BOWLINE_CALL_OUTPUT_SCHEMA")]
    pub(crate) output_schema: Option<OutputSchemaChoice>,
    #[command(flatten)]
    pub(crate) save: Save,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// What to do with a structured result that does not fit the tool's output schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputSchemaChoice {
    /// Fail, and show the result as part of the error
    Reject,
    /// Show the result, and say so on standard error
    Warn,
    /// Show the result
    Ignore,
}

impl From<OutputSchemaChoice> for OutputSchemas {
    fn from(choice: OutputSchemaChoice) -> Self {
        match choice {
            OutputSchemaChoice::Reject => Self::Reject,
            OutputSchemaChoice::Warn => Self::Warn,
            OutputSchemaChoice::Ignore => Self::Ignore,
        }
    }
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
#[command(after_help = examples::READ)]
pub(crate) struct Read {
    /// The resource
    pub(crate) uri: String,
    /// The last of the words above where a server comes first
    #[arg(hide = true)]
    pub(crate) more: Option<String>,
    #[command(flatten)]
    pub(crate) save: Save,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `prompt`.
#[derive(Debug, Args)]
#[command(after_help = examples::PROMPT)]
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
#[command(after_help = examples::COMPLETE)]
pub(crate) struct Complete {
    /// prompt:NAME or resource:URI-TEMPLATE
    pub(crate) reference: String,
    /// The argument and what is typed of it so far
    #[arg(value_name = "ARGUMENT=VALUE")]
    pub(crate) argument: String,
    /// The last of the words above where a server comes first
    #[arg(hide = true)]
    pub(crate) more: Option<String>,
    /// Another argument that has a value already; may be repeated
    #[arg(long, value_name = "K=V", env = "BOWLINE_CONTEXT")]
    pub(crate) context: Vec<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `ping`.
#[derive(Debug, Args)]
#[command(after_help = examples::PING)]
pub(crate) struct Ping {
    /// The server's URL or name
    #[arg(value_name = "SERVER")]
    pub(crate) target: Option<String>,
    /// How many times
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000), env = "BOWLINE_COUNT")]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `watch`.
#[derive(Debug, Args)]
#[command(after_help = examples::WATCH)]
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
pub(crate) mod tests {
    use super::*;

    pub(super) fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::from_words(std::iter::once("bowline").chain(words.split_whitespace()).map(OsString::from))
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
        assert_eq!((call.tool.as_str(), call.given.words.len()), ("echo", 2));
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
        let nested = command.get_subcommands().flat_map(clap::Command::get_subcommands);
        let all = std::iter::once(&command).chain(command.get_subcommands()).chain(nested);
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
