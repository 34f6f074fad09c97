//! A server in the same process, spoken to over an in-memory pipe.

use std::fmt;

use tokio::io::DuplexStream;

use crate::contract::{BoxFuture, Connect, Transport};
use crate::error::TransportError;
use crate::limits::Limits;
use crate::mux::Mux;

/// How many bytes an in-memory pipe holds in each direction.
const PIPE_BYTES: usize = 64 << 10;

/// Connects to a server that lives in this process.
///
/// For each connection the closure gets the server's end of a fresh pipe and serves it, in a task that it owns;
/// the end of the pipe is the end of the connection.
///
/// ```
/// use bowline_transport::{Connect, MemoryConnect};
/// use tokio::io::AsyncReadExt;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let connect = MemoryConnect::new(|mut pipe| {
///     tokio::spawn(async move {
///         let mut request = String::new();
///         pipe.read_to_string(&mut request).await
///     });
/// });
/// let transport = connect.connect().await?;
/// transport.close().await
/// # }).unwrap();
/// ```
pub struct MemoryConnect<F> {
    serve: F,
    limits: Limits,
}

impl<F: Fn(DuplexStream) + Send + Sync + 'static> MemoryConnect<F> {
    /// A connector whose servers `serve` starts.
    pub fn new(serve: F) -> Self {
        Self { serve, limits: Limits::default() }
    }

    /// Sets the bounds of the connections.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<F: Fn(DuplexStream) + Send + Sync + 'static> Connect for MemoryConnect<F> {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            (self.serve)(theirs);
            let (read, write) = tokio::io::split(ours);
            let transport: Box<dyn Transport> = Box::new(Mux::builder().limits(self.limits).spawn(read, write));
            Ok(transport)
        })
    }

    fn describe(&self) -> String {
        "a server in this process".into()
    }
}

impl<F> fmt::Debug for MemoryConnect<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryConnect").field("limits", &self.limits).finish_non_exhaustive()
    }
}
