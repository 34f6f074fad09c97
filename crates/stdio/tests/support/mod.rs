//! Shell servers, and a look at what is left of them.

use std::future::Future;
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Message};
use bowline_stdio::StdioConnect;
use bowline_transport::{Routing, Transport, TransportError, WireRequest};

/// Far more than anything takes, on a loaded machine too.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Answers each line with the id that the caller counts: 1, 2, 3.
pub(crate) const ECHO: &str =
    r#"i=0; while read -r line; do i=$((i+1)); echo "{\"jsonrpc\":\"2.0\",\"id\":$i,\"result\":{}}"; done"#;

/// A server in shell.
pub(crate) fn sh(script: &str) -> StdioConnect {
    StdioConnect::new("sh").args(["-c", script])
}

/// A request without parameters.
pub(crate) fn request(id: i64) -> WireRequest {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    WireRequest::new(id, frame, Routing::new("ping"))
}

/// Sends a request and waits for its response.
pub(crate) async fn call(transport: &impl Transport, id: i64) -> Result<Message, TransportError> {
    within(async {
        let mut exchange = transport.request(request(id)).await?;
        exchange.next().await.expect("an exchange ends with a response or an error")
    })
    .await
}

/// Bounds a wait, so that a hang is a failure.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("it took longer than a minute")
}

/// Waits until `done` says yes.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "in vain: {what}");
}

/// Whether a process runs, or is a zombie that this process has to reap.
pub(crate) fn lives(id: u32) -> bool {
    if cfg!(target_os = "linux") {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else {
            return false;
        };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        return fields[0] != "Z" || fields[1] == std::process::id().to_string();
    }
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
    nix::sys::signal::kill(id, None).is_ok()
}
