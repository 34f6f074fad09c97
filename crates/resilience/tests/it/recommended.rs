//! All recommended layers together, over the mock server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Reconnect, Safety};
use bowline_protocol::{CallToolResult, Tool, ToolAnnotations};
use bowline_resilience::{BreakerLayer, BreakerState, recommended};
use bowline_testkit::{Misbehaviour, MockServer, When};
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::advance;

/// A server that counts what it carries out.
fn counting() -> (MockServer, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let reads = ToolAnnotations::new().with_read_only_hint(true);
    let run = move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(CallToolResult::text("done")) }
    };
    let server = MockServer::builder()
        .tool(Tool::new("pay", json!({"type": "object"})), run.clone())
        .tool(Tool::new("look", json!({"type": "object"})).with_annotations(reads), run)
        .build();
    (server, runs)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_over_a_call_costs_no_call_that_may_be_repeated_and_repeats_no_other() {
    let (server, runs) = counting();
    // The connection ends in place of the answers to the first and the third call, which the server has run.
    server.misbehave(When::method("tools/call").nth(1), Misbehaviour::ExitBefore(0));
    server.misbehave(When::method("tools/call").nth(3), Misbehaviour::ExitBefore(0));
    let layers = recommended();
    let client = Client::builder()
        .layer(layers.clone())
        .trust_annotations(true)
        .reconnect(Reconnect::default())
        .connect(server.connector())
        .await
        .unwrap();
    client.tools().all().await.unwrap();
    assert_eq!(client.call("look").await.unwrap().joined_text(), "done");
    assert_eq!((layers.retry().stats().recovered, runs.load(Ordering::SeqCst)), (1, 2));
    let error = client.call("pay").await.unwrap_err();
    assert_ne!(error.sent(), Sent::No);
    assert_eq!((layers.retry().stats().held_back, runs.load(Ordering::SeqCst)), (1, 3));
    client.call("pay").safety(Safety::Unsafe).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_ends_the_row_of_attempts_and_heals() {
    let (server, _) = counting();
    let breaker = BreakerLayer::builder().min_calls(2).cool_down(Duration::from_secs(5)).build().unwrap();
    let layers = recommended().with_breaker(breaker.clone());
    let client = Client::builder()
        .layer(layers.clone())
        .reconnect(Reconnect::default())
        .connect(server.connector())
        .await
        .unwrap();
    for nth in 1..=2 {
        server.misbehave(When::method("tools/list").nth(nth), Misbehaviour::ExitBefore(0));
    }
    let error = client.tools().all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BreakerOpen);
    let kinds: Vec<_> = error.attempts().iter().map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [ErrorKind::Closed, ErrorKind::Closed, ErrorKind::BreakerOpen]);
    assert_ne!(error.sent(), Sent::No);
    assert_eq!(breaker.state(None), BreakerState::Open);
    advance(Duration::from_secs(5)).await;
    assert_eq!(client.tools().all().await.unwrap().len(), 2);
    assert_eq!(breaker.state(None), BreakerState::Closed);
    assert_eq!(layers.limits().stats().running, 0);
}
