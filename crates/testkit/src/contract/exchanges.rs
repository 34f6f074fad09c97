//! Requests and what belongs to them.

use bowline_protocol::frame::Message;
use bowline_protocol::{ErrorCode, ProgressNotificationParams, ProgressToken, RequestId};
use bowline_transport::Exchange;
use serde_json::{Value, json};

use super::peer::{Peer, finish, text};
use super::{CheckResult, Connector, ContractError, ensure, within};

/// Checks that a request gets its answer and nothing more.
///
/// # Errors
/// What was seen instead.
pub async fn a_request_answers(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let text = peer.text("echo", json!({ "text": "ahoy" })).await?;
        ensure!(text == "ahoy", "the answer was {text:?}");
        peer.close().await
    })
    .await
}

/// Checks that several requests are open at once, and that each gets its own answer whatever the order.
///
/// # Errors
/// What was seen instead.
pub async fn answers_come_in_any_order(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let first = peer.call("hold", json!({ "key": "first" })).await?;
        let second = peer.call("hold", json!({ "key": "second" })).await?;
        peer.text("release", json!({ "key": "second" })).await?;
        let second = text(second).await?;
        peer.text("release", json!({ "key": "first" })).await?;
        let first = text(first).await?;
        ensure!((first.as_str(), second.as_str()) == ("first", "second"), "the answers were {first} and {second}");
        peer.close().await
    })
    .await
}

/// Checks that `7` and `"7"` are different ids.
///
/// # Errors
/// What was seen instead.
pub async fn ids_keep_their_type(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let call =
            |id: RequestId, key: &str| peer.transport.request(peer.call_as(&id, "hold", &json!({ "key": key }), None));
        let number = call(700.into(), "number").await?;
        let string = call("700".into(), "string").await?;
        let odd = call("\u{3b1}-\"1\"".into(), "odd").await?;
        for key in ["odd", "string", "number"] {
            peer.text("release", json!({ "key": key })).await?;
        }
        let answers = (text(number).await?, text(string).await?, text(odd).await?);
        ensure!(answers == ("number".into(), "string".into(), "odd".into()), "the answers were {answers:?}");
        peer.close().await
    })
    .await
}

/// Checks that an error is an answer, with its code.
///
/// # Errors
/// What was seen instead.
pub async fn errors_are_answers(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let outcome = finish(peer.transport.request(peer.request("no/such/method", json!({}))).await?).await?;
        let code = outcome.as_ref().err().map(|error| error.code);
        ensure!(code == Some(ErrorCode::METHOD_NOT_FOUND), "the answer was {outcome:?}");
        peer.close().await
    })
    .await
}

/// Checks that progress goes to the request whose token it has, all of it, in order, before the answer.
///
/// # Errors
/// What was seen instead.
pub async fn progress_goes_to_its_request(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let count = |token: &ProgressToken, steps: u32| {
            peer.transport.request(peer.call_as(&peer.id(), "count", &json!({ "steps": steps }), Some(token)))
        };
        let (number, string) = (ProgressToken::from(4_000), ProgressToken::from("job-\u{3b1}"));
        let one = count(&number, 3).await?;
        let other = count(&string, 5).await?;
        let silent = peer.call("count", json!({ "steps": 2 })).await?;
        steps(one, &number, 3).await?;
        steps(other, &string, 5).await?;
        text(silent).await?;
        peer.close().await
    })
    .await
}

/// Takes progress to the answer, and checks it.
async fn steps(mut exchange: Exchange, token: &ProgressToken, wanted: u32) -> CheckResult {
    for step in 1..=wanted {
        let message = match exchange.next().await {
            Some(Ok(Message::Notification(message))) => message,
            other => return Err(ContractError::new(format!("step {step} was due, but this came: {other:?}"))),
        };
        let params = message.params.and_then(|params| params.parse::<ProgressNotificationParams>().ok());
        let is_it = params.as_ref().is_some_and(|p| p.progress_token == *token && p.progress == f64::from(step));
        ensure!(is_it, "step {step} of {token} was due, but this came: {params:?}");
    }
    text(exchange).await.map(|_| ())
}

/// Checks that dropping an exchange tells the server, once, and gives the request up.
///
/// # Errors
/// What was seen instead.
pub async fn dropping_an_exchange_cancels_once(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let id = peer.id();
        drop(peer.transport.request(peer.call_as(&id, "hang", &json!({}), None)).await?);
        peer.call("hang", json!({})).await?.cancel("enough of it");
        let first = peer.text("await", json!({ "method": "notifications/cancelled" })).await?;
        let value: Value = serde_json::from_str(&first).unwrap_or_default();
        ensure!(
            value.pointer("/params/requestId") == serde_json::to_value(&id).ok().as_ref(),
            "the server was told {first}"
        );
        let count = peer.text("received", json!({ "method": "notifications/cancelled" })).await?;
        ensure!(count == "2", "two exchanges were dropped, and {count} cancelled");
        // An exchange that has ended is not cancelled by its drop.
        peer.text("echo", json!({ "text": "done" })).await?;
        let count = peer.text("received", json!({ "method": "notifications/cancelled" })).await?;
        ensure!(count == "2", "an exchange that had ended was cancelled");
        peer.close().await
    })
    .await
}

/// Checks that an answer to a request that was given up disturbs nothing.
///
/// # Errors
/// What was seen instead.
pub async fn a_late_answer_is_harmless(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        for _ in 0..3 {
            drop(peer.call("hang", json!({})).await?);
        }
        peer.text("await", json!({ "method": "notifications/cancelled" })).await?;
        for text in ["one", "two", "three"] {
            let echo = peer.text("echo", json!({ "text": text })).await?;
            ensure!(echo == text, "the answer was {echo:?} in place of {text:?}");
        }
        peer.close().await
    })
    .await
}

/// Checks that the drop of a request that cannot be cancelled, such as `initialize`, tells the server nothing.
///
/// # Errors
/// What was seen instead.
pub async fn uncancellable_requests_end_in_silence(connector: Connector<'_>) -> CheckResult {
    within(async {
        let peer = Peer::open(connector).await?;
        let request = peer.call_as(&peer.id(), "hold", &json!({ "key": "never" }), None).not_cancellable();
        drop(peer.transport.request(request).await?);
        peer.text("echo", json!({ "text": "fence" })).await?;
        let count = peer.text("received", json!({ "method": "notifications/cancelled" })).await?;
        ensure!(count == "0", "{count} cancelled were sent");
        peer.close().await
    })
    .await
}
