//! Kept answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Safety};
use bowline_protocol::{CallToolResult, Revision, TaskSupport, Tool, ToolExecution};
use bowline_resilience::CacheLayer;
use bowline_testkit::{Misbehaviour, MockServer, ToolCall, When};
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::{advance, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, lost, tool};

/// A server whose tools say how often they ran.
fn counting() -> (MockServer, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let schema = json!({"type": "object"});
    let server = MockServer::builder()
        .tool(Tool::new("count", schema.clone()), move |call: ToolCall| {
            let run = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                sleep(Duration::from_millis(call.argument("millis").unwrap_or(0))).await;
                Ok(CallToolResult::text(run.to_string()))
            }
        })
        .tool(Tool::new("fails", schema), |_| async { Ok(CallToolResult::error("no")) })
        .build();
    (server, runs)
}

#[tokio::test]
async fn what_a_listed_tool_answers_is_kept_unless_it_has_to_run_as_a_task() {
    for (support, runs) in [(None, 1), (Some(TaskSupport::Optional), 1), (Some(TaskSupport::Required), 2)] {
        let tool = Tool::new("count", json!({"type": "object"}));
        let tool = match support {
            Some(support) => tool.with_execution(ToolExecution::new().with_task_support(support)),
            None => tool,
        };
        let ran: Arc<AtomicU64> = Arc::default();
        let counted = Arc::clone(&ran);
        let server = MockServer::builder().revisions([Revision::V2025_11_25]).tool(tool, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(CallToolResult::text("")) }
        });
        let server = server.task_times(Some(Duration::from_secs(60)), Duration::from_millis(5)).build();
        let client = Client::builder().layer(CacheLayer::default()).connect(server.connector()).await.unwrap();
        client.tools().all().await.unwrap();
        for _ in 0..2 {
            client.call("count").safety(Safety::ReadOnly).await.unwrap();
        }
        assert_eq!(ran.load(Ordering::SeqCst), runs);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_asked_once_while_the_answer_is_fresh() {
    let (server, runs) = counting();
    let cache = CacheLayer::builder().ttl(Duration::from_secs(10)).build().unwrap();
    let client = Client::builder().layer(cache.clone()).connect(server.connector()).await.unwrap();
    let count = |n: u64| client.call("count").arg("n", n).arg("millis", 40).safety(Safety::ReadOnly);
    assert_eq!(count(1).await.unwrap().joined_text(), "1");
    assert_eq!(count(1).await.unwrap().joined_text(), "1");
    assert_eq!(count(2).await.unwrap().joined_text(), "2");
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.saved.as_millis()), (1, 2, 2, 40));
    assert!(stats.bytes > 0, "{stats:?}");
    advance(Duration::from_secs(11)).await;
    assert_eq!(count(1).await.unwrap().joined_text(), "3");
    cache.clear();
    assert_eq!(count(1).await.unwrap().joined_text(), "4");
    // What is not known to be harmless, and what failed, is asked each time.
    for _ in 0..2 {
        client.call("count").arg("n", 1).await.unwrap();
        client.call("fails").safety(Safety::ReadOnly).await.unwrap();
    }
    assert_eq!(runs.load(Ordering::SeqCst), 6);
    let fails = server.received().iter().filter(|line| line.to_value().to_string().contains("\"fails\"")).count();
    assert_eq!(fails, 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_ask_the_same_at_once_are_one_call_and_fail_together() {
    let (server, runs) = counting();
    let cache = CacheLayer::default();
    let client = Client::builder().layer(cache.clone()).connect(server.connector()).await.unwrap();
    let ask = || async { client.call("count").arg("millis", 50).safety(Safety::ReadOnly).await };
    let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().joined_text() == "1"));
    assert_eq!((runs.load(Ordering::SeqCst), cache.stats().shared, cache.stats().misses), (1, 19, 20));

    let script = Script::of([Step::FailAfter(Duration::from_secs(1), lost(Sent::Maybe))]);
    let service = CacheLayer::default().layer(script.clone());
    let asks = (0..5).map(|_| {
        let mut service = service.clone();
        async move { service.call(tool("a").with_safety(Safety::ReadOnly)).await.map(drop) }
    });
    let outcomes = futures_util::future::join_all(asks).await;
    assert_eq!(script.calls(), 1);
    assert!(outcomes.into_iter().all(|outcome| outcome.unwrap_err().sent() == Sent::Maybe));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_on_its_way_leaves_the_question_to_the_next() {
    let script = Script::of([Step::Never, Step::Answer]);
    let cache = CacheLayer::default();
    let mut service = cache.layer(script.clone());
    let read = tool("a").with_safety(Safety::ReadOnly);
    assert!(tokio::time::timeout(Duration::from_secs(1), service.call(read.clone())).await.is_err());
    service.call(read.clone()).await.unwrap();
    service.call(read).await.unwrap();
    assert_eq!((script.calls(), cache.stats().hits), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_longer_fresh_stands_in_for_an_outage_and_for_no_answer() {
    let (server, _) = counting();
    let limit = Duration::from_secs(60);
    let cache = CacheLayer::builder().ttl(Duration::from_secs(1)).stale_on_error(limit).build().unwrap();
    let client = Client::builder().layer(cache.clone()).connect(server.connector()).await.unwrap();
    let count = || client.call("count").safety(Safety::ReadOnly).idle_timeout(Duration::from_secs(1));
    assert_eq!(count().await.unwrap().joined_text(), "1");
    advance(Duration::from_secs(2)).await;
    let no = bowline_protocol::ErrorObject::new(bowline_protocol::ErrorCode(-32001), "not now");
    server.misbehave(When::method("tools/call").nth(1), Misbehaviour::Refuse(no));
    assert_eq!(count().await.unwrap_err().kind(), ErrorKind::Server);
    server.misbehave(When::method("tools/call"), Misbehaviour::NeverAnswer);
    assert_eq!(count().await.unwrap().joined_text(), "1");
    assert_eq!(cache.stats().stale, 1);
    advance(limit).await;
    assert!(count().await.unwrap_err().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_when_all_was_dropped_is_not_kept() {
    let (server, _) = counting();
    let cache = CacheLayer::default();
    let client = Client::builder().layer(cache.clone()).connect(server.connector()).await.unwrap();
    let ask = || client.call("count").arg("millis", 50).safety(Safety::ReadOnly);
    let (first, ()) = tokio::join!(async { ask().await }, async {
        sleep(Duration::from_millis(10)).await;
        cache.clear();
    });
    assert_eq!(first.unwrap().joined_text(), "1");
    assert_eq!(ask().await.unwrap().joined_text(), "2");
}

#[tokio::test]
async fn the_memory_has_a_bound() {
    let cache = CacheLayer::builder().max_bytes(2_000).build().unwrap();
    let mut service = cache.layer(Script::default());
    for n in 0..100 {
        service.call(tool(&n.to_string()).with_safety(Safety::ReadOnly)).await.unwrap();
    }
    cache.settle().await;
    let stats = cache.stats();
    assert!(stats.bytes <= 2_000 && stats.entries < 15 && stats.evictions > 80, "{stats:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    assert!(CacheLayer::builder().max_bytes(0).build().unwrap_err().to_string().contains("max_bytes is 0"));
    assert!(CacheLayer::builder().ttl(Duration::MAX).build().unwrap_err().to_string().contains("a day or less"));
}
