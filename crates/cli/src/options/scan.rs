//! Options of `scan`.

use bowline::guard::Severity;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

const EXAMPLES: &str = "Examples:
  bowline scan                          all servers of the configuration; they are started and asked what they have
  bowline scan --offline                what the files tell, without starting anything
  bowline scan tickets --json
  bowline scan --config mcp.json --offline --sarif > scan.sarif

Exit codes: 0 where nothing is found that --fail-on counts, 6 where something is, 4 where a server could not be asked.";

/// Options of `scan`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Scan {
    /// The servers [default: all]
    pub(crate) servers: Vec<String>,
    /// The servers of this group of the configuration
    #[arg(long, value_name = "GROUP", env = "BOWLINE_GROUP", conflicts_with = "servers")]
    pub(crate) group: Option<String>,
    /// Starts the servers and asks them what they have, which is the default
    #[arg(long, env = "BOWLINE_START", value_parser = FalseyValueParser::new(), conflicts_with = "offline")]
    pub(crate) start: bool,
    /// Starts nothing: scans what the files tell
    #[arg(long, env = "BOWLINE_OFFLINE", value_parser = FalseyValueParser::new())]
    pub(crate) offline: bool,
    /// Prints SARIF 2.1.0, for code scanning
    #[arg(long, env = "BOWLINE_SARIF", value_parser = FalseyValueParser::new())]
    pub(crate) sarif: bool,
    /// The least severity that makes the exit code 6
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t, env = "BOWLINE_FAIL_ON")]
    pub(crate) fail_on: FailOn,
}

/// What makes a scan fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Anything
    Note,
    /// What is mostly harmless, and worse
    Low,
    /// What is sometimes harmful, and worse
    Medium,
    /// What is hardly ever there for a good reason
    #[default]
    High,
    /// Nothing
    Never,
}

impl FailOn {
    /// The least severity that counts.
    pub(crate) const fn least(self) -> Option<Severity> {
        match self {
            Self::Note => Some(Severity::Note),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Never => None,
        }
    }
}
