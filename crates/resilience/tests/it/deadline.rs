//! Deadlines.

use std::time::Duration;

use bowline_client::Client;
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::DeadlineLayer;
use bowline_testkit::{Misbehaviour, MockServer, ToolCall, When};
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, tool};

fn server() -> MockServer {
    MockServer::builder()
        .tool(Tool::new("walk", json!({"type": "object"})), |call: ToolCall| async move {
            let steps: u32 = call.argument("steps")?;
            for step in 0..steps {
                sleep(Duration::from_secs(4)).await;
                call.progress(f64::from(step), None, None).await;
            }
            Ok(CallToolResult::text("there"))
        })
        .build()
}

#[tokio::test(start_paused = true)]
async fn progress_puts_off_the_idle_limit_and_never_the_total_one() {
    let layer = DeadlineLayer::builder().idle(Duration::from_secs(5)).total(Duration::from_secs(30)).build().unwrap();
    let server = server();
    let client = Client::builder().layer(layer.clone()).connect(server.connector()).await.unwrap();
    assert_eq!(client.call("walk").arg("steps", 5).await.unwrap().joined_text(), "there");
    let began = Instant::now();
    let error = client.call("walk").arg("steps", 50).await.unwrap_err();
    assert_eq!((error.is_timeout(), error.sent(), began.elapsed().as_secs()), (true, Sent::Yes, 30));
    assert!(error.to_string().contains("no answer within 30s"), "{error}");
    assert_eq!(layer.stats().passed, 1);
    server.journal().wait_for_method("notifications/cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_call_and_a_limit_of_the_calls_own_goes_before() {
    let layer = DeadlineLayer::builder().idle(Duration::from_secs(5)).total(Duration::from_secs(30)).build().unwrap();
    let server = server();
    server.misbehave(When::method("tools/call"), Misbehaviour::NeverAnswer);
    let client = Client::builder().layer(layer).connect(server.connector()).await.unwrap();
    for (call, seconds) in [
        (client.call("walk").arg("steps", 0), 5),
        (client.call("walk").arg("steps", 0).idle_timeout(Duration::from_secs(9)), 9),
        (client.call("walk").arg("steps", 0).max_time(Duration::from_secs(2)), 2),
        (client.call("walk").arg("steps", 0).idle_timeout(Duration::from_secs(99)), 30),
    ] {
        let began = Instant::now();
        let error = call.await.unwrap_err();
        assert_eq!((error.is_timeout(), began.elapsed().as_secs()), (true, seconds), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_inside_and_knows_no_limit_is_bounded_as_well() {
    let layer = DeadlineLayer::default();
    let script = Script::of([Step::Never, Step::After(Duration::from_secs(100))]);
    let mut service = layer.layer(script);
    let error = service.call(tool("a")).await.unwrap_err();
    assert_eq!((error.is_timeout(), error.sent()), (true, Sent::Maybe));
    service.call(tool("a")).await.unwrap();
    assert_eq!(layer.stats().passed, 1);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    let zero = DeadlineLayer::builder().idle(Duration::ZERO).build().unwrap_err();
    assert!(zero.to_string().contains("idle is zero"), "{zero}");
    let crossed = DeadlineLayer::builder().total(Duration::from_secs(1)).build().unwrap_err();
    assert!(crossed.to_string().contains("idle (30s) is longer than total (1s)"), "{crossed}");
}
