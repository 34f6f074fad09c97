//! Second attempts beside a first one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{Client, Safety};
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::HedgeLayer;
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, lost, tool};

fn steps(times: usize) -> impl Iterator<Item = Step> {
    (0..times).map(|_| Step::After(Duration::from_millis(50)))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlasts_most_gets_a_second_attempt_and_the_loser_is_cancelled() {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let server = MockServer::builder()
        .tool(Tool::new("look", json!({"type": "object"})), move |_| {
            let slow = counted.fetch_add(1, Ordering::SeqCst) == 40;
            async move {
                sleep(Duration::from_millis(if slow { 60_000 } else { 50 })).await;
                Ok(CallToolResult::text("seen"))
            }
        })
        .build();
    let layer = HedgeLayer::default();
    let client = Client::builder().layer(layer.clone()).connect(server.connector()).await.unwrap();
    let look = || client.call("look").safety(Safety::ReadOnly);
    for _ in 0..40 {
        look().await.unwrap();
    }
    let began = Instant::now();
    assert_eq!(look().await.unwrap().joined_text(), "seen");
    assert!(began.elapsed() < Duration::from_millis(150), "{:?}", began.elapsed());
    let stats = layer.stats();
    assert_eq!((stats.calls, stats.hedged, stats.won, runs.load(Ordering::SeqCst)), (41, 1, 1, 42));
    server.journal().wait_for_method("notifications/cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_is_never_made_twice() {
    let layer = HedgeLayer::default();
    let script = Script::of(steps(40));
    let mut service = layer.layer(script.clone());
    for _ in 0..40 {
        service.call(tool("a").with_safety(Safety::ReadOnly)).await.unwrap();
    }
    for safety in [Safety::Unsafe, Safety::Idempotent] {
        script.add([Step::After(Duration::from_secs(60))]);
        service.call(tool("a").with_safety(safety)).await.unwrap();
    }
    assert_eq!((script.calls(), layer.stats().hedged), (42, 0));
}

#[tokio::test(start_paused = true)]
async fn one_attempt_may_fail_and_both_may() {
    let layer = HedgeLayer::builder().budget(1.0).build().unwrap();
    let script = Script::of(steps(40));
    let mut service = layer.layer(script.clone());
    let read = || tool("a").with_safety(Safety::ReadOnly);
    for _ in 0..40 {
        service.call(read()).await.unwrap();
    }
    script.add([Step::After(Duration::from_millis(300)), Step::Fail(lost(Sent::No))]);
    service.call(read()).await.unwrap();
    script.add([Step::Never, Step::Answer]);
    assert_eq!(service.call(read()).await.unwrap().attempts(), 0);
    // A first attempt that fails early is for retry to see to.
    script.add([Step::Fail(lost(Sent::Maybe))]);
    assert!(service.call(read()).await.unwrap_err().attempts().is_empty());
    assert_eq!((layer.stats().hedged, layer.stats().won, script.calls()), (2, 1, 45));
}

#[tokio::test(start_paused = true)]
async fn second_attempts_have_a_budget() {
    let layer = HedgeLayer::default();
    let script = Script::of(steps(40));
    let mut service = layer.layer(script.clone());
    for n in 0..80 {
        if n >= 40 {
            script.add([Step::After(Duration::from_millis(500))]);
        }
        service.call(tool("a").with_safety(Safety::ReadOnly)).await.unwrap();
    }
    let stats = layer.stats();
    assert!(stats.hedged <= 8 && stats.over_budget > 0, "{stats:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    assert!(HedgeLayer::builder().quantile(1.0).build().unwrap_err().to_string().contains("quantile is 1"));
    assert!(HedgeLayer::builder().min_calls(0).build().unwrap_err().to_string().contains("min_calls is 0"));
    assert!(HedgeLayer::builder().budget(0.0).build().unwrap_err().to_string().contains("budget is 0"));
}
