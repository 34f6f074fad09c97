//! Options of `guard` and `audit`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::{Arguments, Server, examples};

/// Options of `guard`.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(subcommand)]
    pub(crate) command: GuardCommand,
}

/// What to do about what servers may do.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Tells what the policy says of a call, which rule says so, and which ones nearly fit; nothing is called
    #[command(after_help = examples::GUARD_EXPLAIN)]
    Explain(Explain),
    /// What is pinned
    #[command(after_help = examples::GUARD_PINS)]
    Pins(OfServer),
    /// Shows what a server has that is new or another one than was pinned, asks, and pins it as it was shown
    #[command(after_help = examples::GUARD_ACCEPT)]
    Accept(Accept),
    /// Forgets what is pinned of a server, so that its next use is a first one
    #[command(after_help = examples::GUARD_FORGET)]
    Forget(Definitions),
    /// The calls that wait for somebody to approve them
    #[command(after_help = examples::GUARD_PENDING)]
    Pending,
    /// Lets a call go that waits
    #[command(after_help = examples::GUARD_APPROVE)]
    Approve(Decide),
    /// Refuses a call that waits
    #[command(after_help = examples::GUARD_DENY)]
    Deny(Decide),
    /// The answers that are remembered
    #[command(after_help = examples::GUARD_ANSWERS)]
    Answers(Answers),
}

/// Options of `guard explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The server, by its name or as rules have it
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// The tool, or what another method is applied to
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) given: Arguments,
    /// The method [default: tools/call]
    #[arg(long, value_name = "METHOD", default_value = "tools/call", env = "BOWLINE_METHOD")]
    pub(crate) method: String,
    /// As if the server said that the tool only reads, and was believed
    #[arg(long, env = "BOWLINE_READ_ONLY", value_parser = FalseyValueParser::new())]
    pub(crate) read_only: bool,
}

/// A server, or all of them.
#[derive(Debug, Args)]
pub(crate) struct OfServer {
    /// The server, by the name that it is pinned under
    #[arg(value_name = "SERVER")]
    pub(crate) server: Option<String>,
}

/// Options of `guard accept`.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    #[command(flatten)]
    pub(crate) what: Definitions,
    /// Pins what has this hash and nothing else, without a question: the one that a refusal or this command showed; may be
    /// repeated
    #[arg(long, value_name = "HASH", env = "BOWLINE_HASH", value_delimiter = ',')]
    pub(crate) hash: Vec<String>,
    /// Accepts another way to the server (its command line or address) as well, where names or hashes are given
    #[arg(long, env = "BOWLINE_WAY", value_parser = FalseyValueParser::new())]
    pub(crate) way: bool,
}

/// What `guard accept` and `guard forget` are about.
#[derive(Debug, Args)]
pub(crate) struct Definitions {
    /// The server's URL or name
    #[arg(value_name = "SERVER")]
    pub(crate) target: Option<String>,
    /// Tools, prompts or resource templates; all of them where none is named
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) of: Server,
}

/// Options of `guard approve` and `guard deny`.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Which one, as `bowline guard pending` shows
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// For all calls of the same tool while it is described as now
    #[arg(long, env = "BOWLINE_ALWAYS", value_parser = FalseyValueParser::new())]
    pub(crate) always: bool,
}

/// Options of `guard answers`.
#[derive(Debug, Args)]
pub(crate) struct Answers {
    /// Forgets them
    #[arg(long, env = "BOWLINE_FORGET", value_parser = FalseyValueParser::new())]
    pub(crate) forget: bool,
    /// Those about this server alone
    #[arg(value_name = "SERVER")]
    pub(crate) server: Option<String>,
}

/// Options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

/// What to do about the record of calls.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Holds each line against the one before, and names the first that is wrong
    #[command(after_help = examples::AUDIT_VERIFY)]
    Verify(Verify),
}

/// Options of `audit verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The record [default: that of --audit, or the one that this command keeps]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
