//! Options of `doctor`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Server;

const EXAMPLES: &str = "Examples:
  bowline doctor                        this machine, the files, and every server of the configuration
  bowline doctor tickets                one server of the configuration
  bowline doctor https://tickets.example/mcp
  bowline doctor --offline --json       without starting or calling anything

Exit codes: 0 where there is no error; else that of the first one: 1 for this machine, 2 for a file, 3 for a login,
4 for a server or a program that cannot be reached, 7 for one that does not answer in time, 9 for one that answers
something that is no MCP. Warnings and notes leave it at 0.";

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// The server's URL or name [default: all of the configuration]
    #[arg(value_name = "SERVER")]
    pub(crate) target: Option<String>,
    /// Starts nothing and calls nobody: looks at this machine and the files
    #[arg(long, env = "BOWLINE_OFFLINE", value_parser = FalseyValueParser::new())]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}
