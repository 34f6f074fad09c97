//! From the name of a server to a client.

use bowline_client::{Client, Error};
#[cfg(feature = "stdio")]
use bowline_stdio::StdioConnect;

use crate::target::Target;

/// Connects to a server by its name, with the default settings: a URL, a socket, or a command line.
///
/// See [`Target`] for the forms. A command line is split into words as a shell would, and no shell is started. For
/// other settings use [`Client::builder`] with a [`Target`] or another connector.
///
/// ```no_run
/// # async fn run() -> Result<(), bowline::Error> {
/// let client = bowline::connect("npx -y @modelcontextprotocol/server-everything").await?;
/// println!("{:?}", client.tools().all().await?);
/// client.close().await
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) where the name has none of the forms, or needs a feature that is
/// off; else those of [`ClientBuilder::connect`](crate::ClientBuilder::connect).
///
/// # Cancel safety
/// Dropping the future closes the connection and ends a server's process.
pub async fn connect(target: &str) -> Result<Client, Error> {
    Client::builder().connect(Target::parse(target)?).await
}

/// A server that is started as a child process and spoken to over its standard input and output.
///
/// ```
/// let connector = bowline::stdio("my-server").arg("--root").arg("/srv").env("MODE", "test");
/// ```
#[cfg(feature = "stdio")]
pub fn stdio(program: impl Into<std::ffi::OsString>) -> StdioConnect {
    StdioConnect::new(program)
}
