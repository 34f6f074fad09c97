//! Options of the commands that look at the wire: `inspect`, `record`, `replay`, `bench`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::{Arguments, Server, examples};
use crate::duration;

/// Options of `inspect`.
#[derive(Debug, Args)]
#[command(after_help = examples::INSPECT)]
pub(crate) struct Inspect {
    /// The server's URL or name
    #[arg(value_name = "SERVER")]
    pub(crate) target: Option<String>,
    /// Shows this method alone, with the answers to it; a * at the end stands for any rest; may be repeated
    #[arg(long, value_name = "METHOD", env = "BOWLINE_METHOD")]
    pub(crate) method: Vec<String>,
    /// Shows one direction alone
    #[arg(long, value_enum, env = "BOWLINE_DIRECTION")]
    pub(crate) direction: Option<DirectionChoice>,
    /// Shows the request with this id alone, and what belongs to it; may be repeated
    #[arg(long, value_name = "ID", env = "BOWLINE_ID")]
    pub(crate) id: Vec<String>,
    /// Stays after the lists were read, until Ctrl-C
    #[arg(long, env = "BOWLINE_FOLLOW", value_parser = FalseyValueParser::new(), conflicts_with = "proxy")]
    pub(crate) follow: bool,
    /// Puts a client on standard input and output through; the frames go to standard error, or to --file
    #[arg(long, env = "BOWLINE_PROXY", value_parser = FalseyValueParser::new())]
    pub(crate) proxy: bool,
    /// Writes the frames as lines of JSON into a new file
    #[arg(short = 'o', long, value_name = "FILE", env = "BOWLINE_FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: Secrets,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// What is taken out of frames.
#[derive(Debug, Args)]
pub(crate) struct Secrets {
    /// Takes out this text too, wherever it stands; may be env:VAR or file:PATH; may be repeated
    #[arg(long, value_name = "TEXT", env = "BOWLINE_REDACT", hide_env_values = true)]
    pub(crate) redact: Vec<String>,
    /// Takes out the text of members with this name too; may be repeated
    #[arg(long, value_name = "NAME", env = "BOWLINE_REDACT_NAME")]
    pub(crate) redact_name: Vec<String>,
    /// Takes nothing out
    #[arg(long, env = "BOWLINE_KEEP_SECRETS", value_parser = FalseyValueParser::new(), conflicts_with_all = ["redact", "redact_name"])]
    pub(crate) keep_secrets: bool,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DirectionChoice {
    /// What the client sends
    ToServer,
    /// What the server sends
    ToClient,
}

/// Options of `record`.
#[derive(Debug, Args)]
#[command(after_help = examples::RECORD)]
pub(crate) struct Record {
    /// The server's URL or name
    #[arg(value_name = "SERVER")]
    pub(crate) target: Option<String>,
    /// The file to record into
    #[arg(short = 'o', long, value_name = "FILE", env = "BOWLINE_FILE", required = true)]
    pub(crate) file: PathBuf,
    /// Records behind what the file holds already
    #[arg(long, env = "BOWLINE_APPEND", value_parser = FalseyValueParser::new(), conflicts_with = "force")]
    pub(crate) append: bool,
    /// Writes over a file that is there
    #[arg(long, env = "BOWLINE_FORCE", value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) secrets: Secrets,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Options of `replay`.
#[derive(Debug, Args)]
#[command(after_help = examples::REPLAY)]
pub(crate) struct Replay {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Wants what was recorded and nothing else, in its order
    #[arg(long, env = "BOWLINE_STRICT", value_parser = FalseyValueParser::new())]
    pub(crate) strict: bool,
    /// Takes as long as the server took
    #[arg(long, env = "BOWLINE_TIMED", value_parser = FalseyValueParser::new())]
    pub(crate) timed: bool,
    /// Plays what there is of a recording that was cut
    #[arg(long, env = "BOWLINE_ALLOW_CUT", value_parser = FalseyValueParser::new())]
    pub(crate) allow_cut: bool,
    /// Listens for HTTP here in place of standard input: a port, 0 for a free one, or an address with a port
    #[arg(long, value_name = "PORT", value_parser = address, env = "BOWLINE_HTTP")]
    pub(crate) http: Option<SocketAddr>,
}

/// A port of this machine, or an address.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_| "it may be a port such as 8080, or an address such as 127.0.0.1:8080".to_owned())
}

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(after_help = examples::BENCH)]
pub(crate) struct Bench {
    /// The tool
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) given: Arguments,
    /// How many calls
    #[arg(short, long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000), env = "BOWLINE_COUNT")]
    pub(crate) count: u64,
    /// How many of them at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024), env = "BOWLINE_CONCURRENCY")]
    pub(crate) concurrency: u32,
    /// Begins no call after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse, default_value = "30s", env = "BOWLINE_FOR")]
    pub(crate) for_time: Duration,
    /// Calls that come first and are not counted
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000), env = "BOWLINE_WARM_UP")]
    pub(crate) warm_up: u64,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_port_is_one_of_this_machine() {
        assert_eq!(address("80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address("[::1]:0").unwrap().to_string(), "[::1]:0");
        assert!(address("everywhere").is_err() && address("70000").is_err());
    }
}
