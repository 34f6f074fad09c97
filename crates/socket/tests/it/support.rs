//! What the tests share.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline_protocol::{RequestId, frame};
use bowline_transport::{Routing, Transport, TransportError, WireRequest};

/// Bounds a wait. It is no measure of speed: a test that hangs fails rather than stops the run.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("nothing came for 30 s")
}

/// Sends a ping and waits for its answer.
pub(crate) async fn ping(transport: &dyn Transport, id: i64) -> Result<(), TransportError> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    let mut exchange = within(transport.request(WireRequest::new(id, frame, Routing::new("ping")))).await?;
    within(exchange.next()).await.expect("an exchange ends with an answer or an error").map(|_| ())
}

/// A name that no other test of any run uses.
pub(crate) fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("bowline-{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A path for a socket, which is removed at the end.
pub(crate) struct SocketFile(pub(crate) PathBuf);

impl SocketFile {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(unique("socket")))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
