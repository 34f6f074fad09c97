//! From the name of a server to a client.

use bowline_client::{Client, Error};
use bowline_stdio::StdioConnect;

/// Connects to a server by its command line, with the default settings.
///
/// The line is split into words as a shell would, and no shell is started. For other settings use
/// [`Client::builder`] with a connector such as [`stdio`].
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
/// [`ErrorKind::Config`](crate::ErrorKind::Config) where the line is empty, has an open quote, or is a URL; else
/// those of [`ClientBuilder::connect`](crate::ClientBuilder::connect).
///
/// # Cancel safety
/// Dropping the future ends the server's process.
pub async fn connect(command_line: &str) -> Result<Client, Error> {
    let connector = StdioConnect::from_command_line(command_line)?;
    Client::builder().connect(connector).await
}

/// A server that is started as a child process and spoken to over its standard input and output.
///
/// ```
/// let connector = bowline::stdio("my-server").arg("--root").arg("/srv").env("MODE", "test");
/// ```
pub fn stdio(program: impl Into<std::ffi::OsString>) -> StdioConnect {
    StdioConnect::new(program)
}
