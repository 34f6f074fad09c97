//! Servers behind a unix domain socket.

use std::io::{Error, ErrorKind};
use std::path::PathBuf;

use bowline_transport::{BoxFuture, Connect, Network, Transport, TransportError, TransportErrorKind};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::lines::{Settings, config, setters, transport};

/// Connects to a server that speaks MCP over a unix domain socket, one message a line.
///
/// Each connection is a fresh one. Who may connect is up to the permissions of the socket file; an abstract name has
/// none, and every process of the machine that shares the network namespace may.
///
/// ```no_run
/// use bowline_socket::UnixConnect;
/// use bowline_transport::Connect;
///
/// # async fn example() -> Result<(), bowline_transport::TransportError> {
/// let transport = UnixConnect::new("/run/notes/mcp.sock").connect().await?;
/// transport.close().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct UnixConnect {
    path: PathBuf,
    settings: Settings,
}

impl UnixConnect {
    /// A server at `path`. On Linux `@name` is an abstract name; write `./@name` for a file that is called so.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), settings: Settings::default() }
    }

    /// Reads a target as a person writes it: `unix:/path`, `unix:relative/path`, `unix:///path` or `unix:@name`.
    ///
    /// ```
    /// use bowline_socket::UnixConnect;
    /// use bowline_transport::Connect;
    ///
    /// assert_eq!(UnixConnect::parse("unix:///run/mcp.sock")?.describe(), "unix:/run/mcp.sock");
    /// assert!(UnixConnect::parse("unix:").is_err());
    /// # Ok::<(), bowline_transport::TransportError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when that is not what it is.
    pub fn parse(target: &str) -> Result<Self, TransportError> {
        let Some(path) = target.strip_prefix("unix:") else {
            return Err(config(format!("`{target}` is no unix socket; write it like `unix:/run/mcp.sock`")));
        };
        let path = match path.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => {
                let what = "a unix socket has no host; write it like `unix:///run/mcp.sock`";
                return Err(config(format!("`{target}` names a host: {what}")));
            }
            Some(rest) => rest,
            None => path,
        };
        if path.is_empty() || path == "@" {
            return Err(config(format!("`{target}` names no socket; write it like `unix:/run/mcp.sock`")));
        }
        Ok(Self::new(path))
    }

    /// Opens the stream alone, for another protocol on top of it.
    ///
    /// # Errors
    /// [`TransportErrorKind::NotFound`] when there is no such socket, [`Connect`](TransportErrorKind::Connect) when
    /// nothing listens there or permission is missing, [`Timeout`](TransportErrorKind::Timeout), and
    /// [`Config`](TransportErrorKind::Config) for what cannot name a socket.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up.
    pub async fn open(&self) -> Result<UnixStream, TransportError> {
        let address = self.address()?;
        match timeout(self.settings.connect_timeout, UnixStream::connect(address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.refused(error)),
            Err(_) => {
                let message = format!(
                    "no connection to `{}` within {:?}; see whether the server hangs",
                    self.describe(),
                    self.settings.connect_timeout
                );
                Err(TransportError::new(TransportErrorKind::Timeout, message))
            }
        }
    }

    /// The path as the system takes it: an abstract name begins with a NUL.
    fn address(&self) -> Result<PathBuf, TransportError> {
        let Some(name) = self.path.to_str().and_then(|path| path.strip_prefix('@')) else {
            return Ok(self.path.clone());
        };
        if cfg!(any(target_os = "linux", target_os = "android")) {
            return Ok(format!("\0{name}").into());
        }
        Err(config(format!(
            "`@{name}` is an abstract name, which only Linux has; give a path, or `./@{name}` for a file"
        )))
    }

    fn refused(&self, error: Error) -> TransportError {
        let name = self.describe();
        let (kind, message) = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => (
                TransportErrorKind::NotFound,
                format!("there is no socket `{name}`; start the server, or correct the path"),
            ),
            ErrorKind::ConnectionRefused => (
                TransportErrorKind::Connect,
                format!("nothing listens at `{name}`; its server has ended, or never began: start it"),
            ),
            ErrorKind::PermissionDenied => (
                TransportErrorKind::Connect,
                format!("this user may not connect to `{name}`; ask its owner for write permission"),
            ),
            ErrorKind::WouldBlock => (
                TransportErrorKind::Connect,
                format!("the server at `{name}` has too many connections that wait; try again later"),
            ),
            ErrorKind::InvalidInput => (
                TransportErrorKind::Config,
                format!("`{name}` cannot name a socket ({error}); systems allow about a hundred bytes and no NUL"),
            ),
            _ => (TransportErrorKind::Connect, format!("connecting to `{name}` failed: {error}")),
        };
        TransportError::new(kind, message).with_source(error)
    }
}

setters!(UnixConnect);

impl Connect for UnixConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let (reader, writer) = self.open().await?.into_split();
            Ok(transport(reader, writer, self.settings, format!("`{}`", self.describe())))
        })
    }

    fn server_lives_on(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    fn identity(&self) -> Option<String> {
        Some(self.describe())
    }

    fn network(&self) -> Option<Network> {
        Some(Network::new("unix").with_server(self.path.display().to_string(), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_paths_urls_or_abstract_names() {
        for (target, described) in [
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("unix:a.sock", "unix:a.sock"),
            ("unix:@name", "unix:@name"),
        ] {
            assert_eq!(UnixConnect::parse(target).unwrap().describe(), described);
        }
    }

    #[test]
    fn what_names_no_socket_is_refused() {
        for target in ["", "/run/a.sock", "unix:", "unix:@", "unix://", "unix://host/a.sock"] {
            let error = UnixConnect::parse(target).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Config, "{target}");
        }
    }

    #[tokio::test]
    async fn paths_that_the_system_cannot_take_are_configuration_errors() {
        for path in ["x".repeat(200), "/tmp/a\0b".to_owned()] {
            let error = UnixConnect::new(path).open().await.unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Config, "{error}");
            assert!(!error.to_string().contains('\n'));
        }
    }
}
