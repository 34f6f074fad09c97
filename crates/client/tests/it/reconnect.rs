//! Lost connections and their replacement, against the mock server.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Event, Reconnect};
use bowline_protocol::{LoggingLevel, Tool};
use bowline_testkit::{Misbehaviour, When};
use bowline_transport::Sent;

use crate::scene::{Scene, lose};

#[tokio::test(start_paused = true)]
async fn a_call_after_a_loss_goes_over_a_fresh_connection() {
    let scene = Scene::new();
    let client = scene.client().await;
    let mut events = client.events();
    lose(&scene, &client).await;
    assert!(!client.is_closed());
    assert_eq!(client.call("echo").await.unwrap().joined_text(), "hi");
    assert!(matches!(events.next().await, Some(Event::Disconnected(_))));
    assert!(matches!(events.next().await, Some(Event::Reconnected)));
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 2);
    client.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn attempts_are_spaced_and_many_callers_share_them() {
    let scene = Scene::new();
    let client = scene.client().await;
    lose(&scene, &client).await;
    scene.failures.store(3, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    let calls = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.call("echo").await.map(|r| r.joined_text()) })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap(), "hi");
    }
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1 + 4);
    assert!(started.elapsed() >= Duration::from_millis(800), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_row_of_failures_ends_in_an_error_and_begins_anew_later() {
    let scene = Scene::new();
    let client = Client::builder()
        .reconnect(Reconnect::default().with_attempts(3).with_max_delay(Duration::from_secs(5)))
        .connect(scene.way())
        .await
        .unwrap();
    lose(&scene, &client).await;
    scene.failures.store(100, Ordering::SeqCst);
    for _ in 0..20 {
        let error = client.call("echo").await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Connect, Sent::No), "{error}");
    }
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1 + 3, "calls in between make no attempts");
    scene.failures.store(0, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(client.call("echo").await.unwrap().joined_text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_sent_is_never_repeated() {
    let scene = Scene::new();
    let client = scene.client().await;
    scene.server.misbehave(When::method("tools/call").nth(1), Misbehaviour::ExitBefore(1));
    let error = client.call("echo").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.sent() >= Sent::Maybe, "{error:?}");
    let calls = scene.server.received().iter().filter(|r| r.method() == "tools/call").count();
    assert_eq!(calls, 1);
    assert_eq!(client.call("echo").await.unwrap().joined_text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn s_09_subscriptions_and_the_log_level_are_taken_up_again_without_a_call() {
    let scene = Scene::new();
    let client = scene.client().await;
    let _subscription = client.subscribe("note://1").await.unwrap();
    client.set_level(LoggingLevel::Warning).await.unwrap();
    let mut events = client.events();
    scene.server.disconnect();
    while !matches!(events.next().await, Some(Event::Reconnected)) {}
    scene.server.resource_updated("note://1").await;
    assert!(matches!(events.next().await, Some(Event::ResourceUpdated { uri }) if uri == "note://1"));
    let again: Vec<_> = scene.server.received().into_iter().filter(|r| r.connection > 0).collect();
    assert!(again.iter().any(|r| r.method() == "logging/setLevel"), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn n_04_a_cursor_is_not_used_in_another_session() {
    let scene = Scene::new();
    scene
        .server
        .add_tool(Tool::new("second", serde_json::json!({"type": "object"})), |_| async {
            Ok(bowline_protocol::CallToolResult::text("2"))
        })
        .await;
    let client = scene.client().await;
    let mut tools = client.tools();
    assert!(tools.next().await.unwrap().is_ok());
    lose(&scene, &client).await;
    let error = tools.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("list again"), "{error}");
    assert_eq!(client.tools().all().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn case_lifecycle_013_nothing_reconnects_after_a_close() {
    let scene = Scene::new();
    let client = Client::builder().keep_alive(Duration::from_secs(1)).connect(scene.way()).await.unwrap();
    let _subscription = client.subscribe("note://1").await.unwrap();
    let mut events = client.events();
    client.close().await.unwrap();
    client.close().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1);
    assert!(client.is_closed());
    assert!(matches!(events.next().await, Some(Event::Closed(_))));
    assert!(events.next().await.is_none());
    let error = client.call("echo").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_stays_dropped() {
    let scene = Scene::new();
    let client = scene.client().await;
    let _subscription = client.subscribe("note://1").await.unwrap();
    lose(&scene, &client).await;
    scene.failures.store(u32::MAX, Ordering::SeqCst);
    drop(client);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(scene.attempts.load(Ordering::SeqCst) <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_at_once_again_and_again_is_not_stormed() {
    let scene = Scene::new();
    let client = scene.client().await;
    let _subscription = client.subscribe("note://1").await.unwrap();
    let mut events = client.events();
    let started = tokio::time::Instant::now();
    // Each fresh connection is cut as soon as it is told of, for ten minutes.
    while started.elapsed() < Duration::from_secs(600) {
        scene.server.disconnect();
        while !matches!(events.next().await, Some(Event::Reconnected)) {}
    }
    let attempts = scene.attempts.load(Ordering::SeqCst);
    assert!(attempts < 60, "{attempts} attempts in ten minutes");
}
