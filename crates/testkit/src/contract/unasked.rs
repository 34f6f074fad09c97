//! What a server sends by itself.

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{RawJson, excerpt};
use bowline_transport::{Inbound, InboundEvent, Routing, WireMessage};
use serde_json::json;

use super::peer::{Peer, text};
use super::{CheckResult, Connector, ContractError, ensure, within};

/// Checks that the unasked messages are given out once.
///
/// # Errors
/// What was seen instead.
pub async fn inbound_is_taken_once(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let inbound = peer.inbound()?;
        ensure!(peer.transport.take_inbound().is_none(), "inbound was given out a second time");
        drop(inbound);
        // Nobody listens now, and that must hold up no answer.
        peer.text("emit", json!({})).await?;
        peer.close().await
    })
    .await
}

/// Checks that requests and notifications of the server come in their order.
///
/// # Errors
/// What was seen instead.
pub async fn unasked_messages_keep_their_order(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let mut inbound = peer.inbound()?;
        peer.text("emit", json!({})).await?;
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(match message(&mut inbound).await? {
                Message::Request(request) => request.method.to_string(),
                Message::Notification(log) => {
                    let data = log.params.map(|params| params.to_value());
                    data.as_ref().and_then(|params| params.get("data")?.as_str()).unwrap_or("nothing").to_owned()
                }
                Message::Response(_) => return Err(ContractError::new("an answer came as an unasked message")),
            });
        }
        ensure!(seen == ["one", "two", "ping", "three"], "the order was {seen:?}");
        peer.close().await?;
        let end = inbound.next().await;
        ensure!(matches!(end, Some(InboundEvent::Closed(_))), "the last event was {end:?}");
        ensure!(inbound.next().await.is_none(), "something came after the end");
        Ok(())
    })
    .await
}

/// Checks that the answer to a request of the server gets there.
///
/// # Errors
/// What was seen instead.
pub async fn answers_reach_the_server(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let mut inbound = peer.inbound()?;
        let asking = peer.call("ask", json!({})).await?;
        let Message::Request(request) = message(&mut inbound).await? else {
            return Err(ContractError::new("a request was due, but a notification came"));
        };
        let frame = frame::encode_result(&request.id, &RawJson::EMPTY_OBJECT);
        peer.transport.send(WireMessage::new(frame, Routing::default())).await?;
        let answer = text(asking).await?;
        ensure!(answer == "answered", "the answer was {}", excerpt(&answer, 80));
        peer.close().await
    })
    .await
}

async fn message(inbound: &mut Inbound) -> Result<Message, ContractError> {
    match inbound.next().await {
        Some(InboundEvent::Message(message)) => Ok(message),
        other => Err(ContractError::new(format!("a message was due, but this came: {other:?}"))),
    }
}
