//! Options of `search` and `grep`.

use clap::Args;
use clap::builder::FalseyValueParser;

const SEARCH_EXAMPLES: &str = "Examples:
  bowline search \"open an issue\"
  bowline search calendar --read-only --limit 5
  bowline search invoice --group work --refresh

What servers said when they were last asked is searched, so no server is started; --refresh asks them. Where nothing is
known yet they are asked once. `bowline list --all` keeps what it sees for searches as well.";

const GREP_EXAMPLES: &str = "Examples:
  bowline grep 'read_*'
  bowline grep 'github.*issue*' --json

The pattern has to fit the whole name of a tool, alone or as server.tool: * is any text, ? any letter. It searches what
`bowline search` searches.";

/// Options of `search`.
#[derive(Debug, Args)]
#[command(after_help = SEARCH_EXAMPLES)]
pub(crate) struct Search {
    /// What the tool is to do, in words; a word may be cut short
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) among: Among,
}

/// Options of `grep`.
#[derive(Debug, Args)]
#[command(after_help = GREP_EXAMPLES)]
pub(crate) struct Grep {
    /// The pattern
    pub(crate) pattern: String,
    #[command(flatten)]
    pub(crate) among: Among,
}

/// What is searched, and how.
#[derive(Debug, Args)]
pub(crate) struct Among {
    /// Tools of this server alone; may be repeated
    #[arg(long, value_name = "SERVER", env = "BOWLINE_SERVER")]
    pub(crate) server: Vec<String>,
    /// Tools of servers of this group alone
    #[arg(long, value_name = "GROUP", env = "BOWLINE_GROUP")]
    pub(crate) group: Option<String>,
    /// Tools alone whose server says that they only read
    #[arg(long, env = "BOWLINE_READ_ONLY", value_parser = FalseyValueParser::new())]
    pub(crate) read_only: bool,
    /// How many are shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000), env = "BOWLINE_LIMIT")]
    pub(crate) limit: u16,
    /// Asks the servers what they have now
    #[arg(long, env = "BOWLINE_REFRESH", value_parser = FalseyValueParser::new())]
    pub(crate) refresh: bool,
}
