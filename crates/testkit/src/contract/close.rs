//! How a connection ends.

use bowline_protocol::frame;
use bowline_transport::{Limits, Routing, Sent, TransportErrorKind, WireMessage};
use serde_json::json;

use super::peer::{Peer, failure};
use super::{CheckResult, Connector, ensure, within};

/// Checks that a close ends open exchanges with an error that says so.
///
/// # Errors
/// What was seen instead.
pub async fn close_ends_open_exchanges(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let open = peer.call("hold", json!({ "key": "never" })).await?;
        peer.text("echo", json!({ "text": "fence" })).await?;
        peer.transport.close().await?;
        let error = failure(open).await?;
        ensure!(error.kind() == TransportErrorKind::Closed, "the open exchange failed with {error:?}");
        ensure!(error.sent() != Sent::No, "the server has read the request, but the error says {}", error.sent());
        Ok(())
    })
    .await
}

/// Checks that a close may be repeated, and that after it nothing is sent and the error says so.
///
/// # Errors
/// What was seen instead.
pub async fn after_a_close_everything_fails_unsent(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        peer.transport.close().await?;
        peer.transport.close().await?;
        let Err(error) = peer.call("echo", json!({ "text": "late" })).await else {
            return Err(super::ContractError::new("a request was taken after the close"));
        };
        ensure!(
            error.kind() == TransportErrorKind::Closed && error.sent() == Sent::No,
            "the request failed with {error:?}"
        );
        let frame = frame::encode_notification("notifications/roots/list_changed", None, None);
        let message = WireMessage::new(frame, Routing::new("notifications/roots/list_changed"));
        let Err(error) = peer.transport.send(message).await else {
            return Err(super::ContractError::new("a notification was taken after the close"));
        };
        ensure!(
            error.kind() == TransportErrorKind::Closed && error.sent() == Sent::No,
            "the message failed with {error:?}"
        );
        Ok(())
    })
    .await
}

/// Checks that all open exchanges end at once when the peer goes away, and admit that it may have read them.
///
/// # Errors
/// What was seen instead.
pub async fn open_exchanges_fail_when_the_peer_goes_away(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let one = peer.call("hold", json!({ "key": "never" })).await?;
        let two = peer.call("hold", json!({ "key": "never" })).await?;
        let leave = peer.call("leave", json!({})).await?;
        for exchange in [one, two, leave] {
            let error = failure(exchange).await?;
            ensure!(error.kind() == TransportErrorKind::Closed, "an open exchange failed with {error:?}");
            ensure!(error.sent() != Sent::No, "the server has read the request, but the error says {}", error.sent());
        }
        // A transport without a lasting connection learns of the end when it asks.
        let error = match peer.call("echo", json!({ "text": "late" })).await {
            Ok(exchange) => failure(exchange).await?,
            Err(error) => error,
        };
        ensure!(error.sent() == Sent::No, "a request after the end failed with {error:?}");
        peer.close().await
    })
    .await
}

/// Checks that one connector opens several connections, at once and one after another.
///
/// # Errors
/// What was seen instead.
pub async fn the_connector_connects_again(connector: Connector<'_>) -> CheckResult {
    within(async {
        let connect = connector(Limits::default());
        let one = Peer::over(connect.connect().await?).await?;
        let two = Peer::over(connect.connect().await?).await?;
        one.close().await?;
        let text = two.text("echo", json!({ "text": "still here" })).await?;
        ensure!(text == "still here", "the answer was {text:?}");
        two.close().await?;
        let three = Peer::over(connect.connect().await?).await?;
        three.text("echo", json!({ "text": "again" })).await?;
        ensure!(!connect.describe().is_empty(), "the connector has no name");
        three.close().await
    })
    .await
}
