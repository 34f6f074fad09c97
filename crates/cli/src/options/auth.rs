//! Options of `auth`.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::examples;

/// Options of `auth`.
#[derive(Debug, Args)]
pub(crate) struct Auth {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

/// What to do about a login.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Logs in by the browser, and keeps the tokens
    #[command(after_help = examples::AUTH_LOGIN)]
    Login(Login),
    /// Tells whether there is a login, for which scopes and how long
    #[command(after_help = examples::AUTH_STATUS)]
    Status(OneServer),
    /// Gets a fresh token for the one that there is
    #[command(after_help = examples::AUTH_REFRESH)]
    Refresh(OneServer),
    /// Has the tokens revoked, and forgets them
    #[command(after_help = examples::AUTH_LOGOUT)]
    Logout(OneServer),
}

impl AuthCommand {
    /// The server: its URL, or its name until that is looked up.
    pub(crate) fn url_mut(&mut self) -> &mut String {
        match self {
            Self::Login(login) => &mut login.server.url,
            Self::Status(server) | Self::Refresh(server) | Self::Logout(server) => &mut server.url,
        }
    }
}

/// The server that a login is for.
#[derive(Debug, Args)]
pub(crate) struct OneServer {
    /// The server's URL, or its name in the configuration
    #[arg(value_name = "SERVER")]
    pub(crate) url: String,
}

/// Options of `auth login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) server: OneServer,
    /// The id that the authorization server knows this program by [default: one that it registers]
    #[arg(long, value_name = "ID", env = "BOWLINE_CLIENT_ID")]
    pub(crate) client_id: Option<String>,
    /// The secret of that id: from BOWLINE_CLIENT_SECRET, env:VAR or file:PATH, or asked for
    #[arg(
        long,
        value_name = "SOURCE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        requires = "client_id",
        env = "BOWLINE_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub(crate) client_secret: Option<String>,
    /// The authorization server that the id is for, by its identifier: no other one is asked, and sees the secret
    #[arg(long, value_name = "URL", env = "BOWLINE_ISSUER")]
    pub(crate) issuer: Option<String>,
    /// The URL at which this program is described, where the authorization server takes such as an id
    #[arg(long, value_name = "URL", env = "BOWLINE_CLIENT_METADATA_URL")]
    pub(crate) client_metadata_url: Option<String>,
    /// A scope to ask for in place of those that the server lists; may be repeated
    #[arg(long, value_name = "SCOPE", env = "BOWLINE_SCOPE")]
    pub(crate) scope: Vec<String>,
    /// Shows the URL, and takes the address that the browser ends at, in place of opening the browser
    #[arg(long, env = "BOWLINE_NO_BROWSER", value_parser = FalseyValueParser::new())]
    pub(crate) no_browser: bool,
    /// Logs in with another device: shows a page to visit there and a code to enter, where the server can do that
    #[arg(long, conflicts_with = "no_browser", env = "BOWLINE_DEVICE", value_parser = FalseyValueParser::new())]
    pub(crate) device: bool,
    /// The port of this machine that the browser is sent back to [default: one that is free]
    #[arg(long, value_name = "PORT", env = "BOWLINE_CALLBACK_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) callback_port: Option<u16>,
    /// Lets the authorization server be in a private network, as inside a company
    #[arg(long, env = "BOWLINE_PRIVATE_NETWORKS", value_parser = FalseyValueParser::new())]
    pub(crate) private_networks: bool,
    /// Takes an issuer that differs from what the server names by one slash at its end
    #[arg(long, env = "BOWLINE_LENIENT_ISSUER_SLASH", value_parser = FalseyValueParser::new())]
    pub(crate) lenient_issuer_slash: bool,
}
