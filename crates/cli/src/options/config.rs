//! Options of `add`, `remove` and `config`.

use std::ffi::OsString;
use std::path::PathBuf;

use bowline::config::Host;
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::examples;
use crate::suggest;

/// Options of `add`.
#[derive(Debug, Args)]
#[command(after_help = examples::ADD)]
pub(crate) struct Add {
    /// What it is to be called
    pub(crate) name: String,
    /// The server's URL
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) file: TargetFile,
    /// Takes the place of a server of this name
    #[arg(long, env = "BOWLINE_FORCE", value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    /// The server's program and its arguments, where it has no URL
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Options of `remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// What it is called
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) file: TargetFile,
}

/// Which file is changed.
#[derive(Debug, Clone, Args)]
pub(crate) struct TargetFile {
    /// Whom the file is for
    #[arg(long, value_enum, default_value_t, env = "BOWLINE_SCOPE")]
    pub(crate) scope: ScopeChoice,
    /// Whose file it is, such as claude-code or vscode [default: bowline's own]
    #[arg(long, value_name = "HOST", value_parser = host, env = "BOWLINE_HOST")]
    pub(crate) host: Option<Host>,
    /// The file, where it is none of those that are looked for
    #[arg(long, value_name = "FILE", env = "BOWLINE_FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Whom a file is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeChoice {
    /// You, wherever you are
    #[default]
    User,
    /// Everybody who works in this folder
    Project,
}

/// Options of `config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// The servers of all files, and where each comes from
    #[command(visible_alias = "ls", after_help = examples::CONFIG_LIST)]
    List,
    /// All that is set for a server, without its secrets
    #[command(visible_alias = "get", after_help = examples::CONFIG_SHOW)]
    Show(Named),
    /// The files that are looked for, and which of them are there
    #[command(after_help = examples::CONFIG_PATH)]
    Path,
    /// What is wrong with the files
    #[command(after_help = examples::CONFIG_CHECK)]
    Check,
    /// Where each value of a server comes from, and what it won over
    #[command(after_help = examples::CONFIG_EXPLAIN)]
    Explain(Named),
    /// Puts a server into a file, as `bowline add` does
    #[command(
        override_usage = "bowline config add [OPTIONS] <NAME> [URL] [-- <COMMAND>...]",
        after_help = examples::CONFIG_ADD
    )]
    Add(Add),
    /// Takes a server out of a file, as `bowline remove` does
    #[command(visible_alias = "rm", after_help = examples::CONFIG_REMOVE)]
    Remove(Remove),
    /// Switches a server on
    #[command(after_help = examples::CONFIG_ENABLE)]
    Enable(Remove),
    /// Switches a server off
    #[command(after_help = examples::CONFIG_DISABLE)]
    Disable(Remove),
    /// Copies servers of other hosts' files into bowline's own
    #[command(after_help = examples::CONFIG_IMPORT)]
    Import(Import),
    /// Copies servers into another host's file
    #[command(after_help = examples::CONFIG_EXPORT)]
    Export(Export),
    /// Trusts a folder: the servers that its files name may be started
    #[command(after_help = examples::CONFIG_TRUST)]
    Trust(Trust),
}

/// A server.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// What it is called
    pub(crate) name: String,
}

/// Options of `config import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The servers [default: all]
    pub(crate) names: Vec<String>,
    /// Those of this host alone; may be repeated
    #[arg(long, value_name = "HOST", value_parser = host, env = "BOWLINE_FROM")]
    pub(crate) from: Vec<Host>,
    /// Takes the place of servers of the same name
    #[arg(long, env = "BOWLINE_FORCE", value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    /// Says what would be done, and does nothing
    #[arg(long, env = "BOWLINE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
}

/// Options of `config export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The servers [default: all]
    pub(crate) names: Vec<String>,
    /// Whose file it is
    #[arg(long, value_name = "HOST", value_parser = host, env = "BOWLINE_TO")]
    pub(crate) to: Host,
    /// Whom the file is for
    #[arg(long, value_enum, default_value_t, env = "BOWLINE_SCOPE")]
    pub(crate) scope: ScopeChoice,
    /// The file, where it is none of those that are looked for
    #[arg(long, value_name = "FILE", env = "BOWLINE_FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Takes the place of servers of the same name
    #[arg(long, env = "BOWLINE_FORCE", value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    /// Says what would be done, and does nothing
    #[arg(long, env = "BOWLINE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
}

/// Options of `config trust`.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// The folder [default: this one]
    pub(crate) folder: Option<PathBuf>,
}

/// A host by its name.
fn host(text: &str) -> Result<Host, String> {
    text.parse::<Host>().map_err(|error| match suggest::did_you_mean(text, Host::ALL.iter().map(|host| host.id())) {
        Some(hint) => format!("{hint} {error}"),
        None => error.to_string(),
    })
}
