//! Limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::{Client, ErrorKind};
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::{LimitBuilder, LimitLayer, Scope};
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, tool};

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_may_and_all_of_them_run() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let server = {
        let most = Arc::clone(&most);
        MockServer::builder()
            .tool(Tool::new("work", json!({"type": "object"})), move |_| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_millis(10)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(CallToolResult::text("done"))
                }
            })
            .build()
    };
    let layer = LimitLayer::builder().at_once(3).build().unwrap();
    let client = Client::builder().layer(layer.clone()).connect(server.connector()).await.unwrap();
    let calls = (0..30).map(|_| async { client.call("work").await.unwrap() });
    futures_util::future::join_all(calls).await;
    let stats = layer.stats();
    assert_eq!((most.load(Ordering::SeqCst), stats.calls, stats.waited), (3, 30, 27));
    assert_eq!((stats.running, stats.waiting, stats.refused), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_spreads_calls_and_the_queue_refuses_what_it_cannot_hold() {
    let layer = LimitLayer::builder().rate(2, Duration::from_secs(1)).queue(3).build().unwrap();
    let script = Script::default();
    let service = layer.layer(script.clone());
    let began = Instant::now();
    let calls = (0..7).map(|_| {
        let mut service = service.clone();
        async move { service.call(tool("a")).await.map(|_| began.elapsed()) }
    });
    let outcomes = futures_util::future::join_all(calls).await;
    let done: Vec<_> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).map(|at| at.as_millis() / 100).collect();
    assert_eq!(done, [0, 0, 5, 10, 15]);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Overloaded, Sent::No));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(500)));
    }
    assert_eq!((layer.stats().refused, script.calls()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn one_tool_does_not_keep_another_waiting_where_each_has_its_limits() {
    let layer = LimitLayer::builder().at_once(1).queue(0).scope(Scope::Tool).build().unwrap();
    let script = Script::of([Step::Never]);
    let mut service = layer.layer(script);
    let _stuck = service.call(tool("a"));
    assert_eq!(service.call(tool("a")).await.unwrap_err().kind(), ErrorKind::Overloaded);
    service.call(tool("b")).await.unwrap();
    assert_eq!(layer.stats().running, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_than_it_may_take() {
    let layer = LimitLayer::builder().at_once(1).build().unwrap();
    let script = Script::of([Step::Never]);
    let mut service = layer.layer(script.clone());
    let _stuck = service.call(tool("a"));
    let began = Instant::now();
    let error = service.call(tool("a").with_total(Duration::from_secs(2))).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs(), script.calls()), (ErrorKind::Overloaded, 2, 1));
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    type Change = fn(LimitBuilder) -> LimitBuilder;
    let cases: [(Change, &str); 4] = [
        (|it| it.at_once(0), "at_once is 0"),
        (|it| it.rate(0, Duration::from_secs(1)), "the rate is 0 calls"),
        (|it| it.rate(10, Duration::ZERO), "above one a nanosecond"),
        (|it| it.max_wait(Duration::MAX), "set a day or less"),
    ];
    for (change, why) in cases {
        let refused = change(LimitLayer::builder()).build().unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
