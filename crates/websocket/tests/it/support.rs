//! What the tests share.

use std::future::Future;
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Message};
use bowline_testkit::MockServer;
use bowline_testkit::websocket::{MockWebSocket, Upgrade};
use bowline_transport::{Connect, Inbound, InboundEvent, Routing, Sent, Transport, TransportError, WireRequest};

/// Bounds a wait. It is no measure of speed: a test that hangs fails rather than stops the run.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("nothing came for 30 s")
}

/// A server that does with each upgrade what this says. Gives its URL.
pub(crate) fn upgrading(upgrade: Upgrade) -> String {
    let server = MockWebSocket::new(MockServer::builder().build()).upgrade(upgrade).start().unwrap();
    server.leave_running("/mcp?key=q-SECRET-5")
}

/// A server that answers an upgrade literally so. Gives its URL.
pub(crate) fn literal(answer: impl Into<String>) -> String {
    upgrading(Upgrade::Answer(answer.into().into()))
}

/// The error of a connect that fails.
pub(crate) async fn refusal(connect: &dyn Connect) -> TransportError {
    let error = within(connect.connect()).await.err().expect("this connect fails");
    assert_eq!(error.sent(), Sent::No);
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// Sends a ping and gives its answer.
pub(crate) async fn ask(transport: &dyn Transport, id: i64) -> Result<Message, TransportError> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    let mut exchange = within(transport.request(WireRequest::new(id, frame, Routing::new("ping")))).await?;
    within(exchange.next()).await.expect("an exchange ends with an answer or an error")
}

/// Sends a ping and waits for its answer.
pub(crate) async fn ping(transport: &dyn Transport, id: i64) -> Result<(), TransportError> {
    ask(transport, id).await.map(drop)
}

/// The next message that nobody asked for.
pub(crate) async fn message(inbound: &mut Inbound) -> Message {
    match within(inbound.next()).await {
        Some(InboundEvent::Message(message)) => message,
        other => panic!("a message was due, but this came: {other:?}"),
    }
}
