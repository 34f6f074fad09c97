//! Sizes, bounds and bytes.

use std::pin::pin;

use bowline_protocol::excerpt;
use bowline_transport::{Limits, TransportErrorKind};
use futures_util::FutureExt;
use serde_json::json;

use super::peer::{Peer, failure, text};
use super::{CheckResult, Connector, ensure, within};

/// Checks that text comes back as it went, whatever characters it has.
///
/// # Errors
/// What was seen instead.
pub async fn text_is_kept_byte_for_byte(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        for sent in [
            "na\u{ef}ve \u{2014} \u{1f419}",
            "line\nbreak\r\n\ttab \"quoted\" \\ back",
            "\u{0} \u{7f} \u{85} \u{2028} \u{2029} \u{feff} \u{202e}",
            "\u{e9} e\u{301} \u{65e5}\u{672c}\u{8a9e} \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "",
        ] {
            let got = peer.text("echo", json!({ "text": sent })).await?;
            ensure!(got == sent, "{} came back as {}", sent.escape_unicode(), excerpt(&got, 80).escape_unicode());
        }
        peer.close().await
    })
    .await
}

/// Checks that a message of 10 MiB passes in both directions.
///
/// # Errors
/// What was seen instead.
pub async fn large_messages_pass_both_ways(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let sent = "knots and \u{1f419} ".repeat((10 << 20) / 15);
        let got = peer.text("echo", json!({ "text": sent })).await?;
        ensure!(got == sent, "{} bytes came back as {}", sent.len(), got.len());
        let small = peer.text("echo", json!({ "text": "small" })).await?;
        ensure!(small == "small", "after it came {}", excerpt(&small, 80));
        peer.close().await
    })
    .await
}

/// Checks that a message beyond the limit ends the connection with an error that says so.
///
/// # Errors
/// What was seen instead.
pub async fn oversize_messages_end_the_connection(connector: Connector<'_>) -> CheckResult {
    within(async {
        let limits = Limits::default().with_max_frame_bytes(64 << 10);
        let peer = Peer::open_with(connector, limits).await?;
        let fits = peer.text("fill", json!({ "bytes": 32 << 10 })).await?;
        ensure!(fits.len() == 32 << 10, "a message within the limit came as {} bytes", fits.len());
        let error = failure(peer.call("fill", json!({ "bytes": 1 << 20 })).await?).await?;
        ensure!(error.kind() == TransportErrorKind::TooLarge, "the exchange failed with {error:?}");
        // Whether this close is in order depends on how far the server got; that it ends does not.
        let _ = peer.close().await;
        Ok(())
    })
    .await
}

/// Checks that no more exchanges are open than the limit says, and that the next one goes when one ends.
///
/// # Errors
/// What was seen instead.
pub async fn open_exchanges_are_bounded(connector: Connector<'_>) -> CheckResult {
    within(async {
        let limits = Limits::default().with_max_open_exchanges(2);
        let peer = Peer::open_with(connector, limits).await?;
        let kept = peer.call("hold", json!({ "key": "kept" })).await?;
        let dropped = peer.call("hold", json!({ "key": "dropped" })).await?;
        let mut third = pin!(peer.call("release", json!({ "key": "kept" })));
        ensure!(third.as_mut().now_or_never().is_none(), "a third exchange was opened where two are allowed");
        drop(dropped);
        text(third.await?).await?;
        let kept = text(kept).await?;
        ensure!(kept == "kept", "the answer was {kept:?}");
        peer.close().await
    })
    .await
}
