//! Breakers.

use std::time::Duration;

use bowline_client::{Client, Error, ErrorKind};
use bowline_protocol::{CallToolResult, Revision, Tool};
use bowline_resilience::{Breaker, BreakerBuilder, BreakerEvent, BreakerLayer, BreakerState, Scope};
use bowline_testkit::{Misbehaviour, MockServer, When};
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::advance;
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, lost, status, tool};

#[tokio::test(start_paused = true)]
async fn case_hub_006_it_opens_for_one_server_and_heals_with_one_probe() {
    let (layer, other) = (BreakerLayer::default(), BreakerLayer::default());
    let script = Script::of((0..5).map(|_| Step::Fail(lost(Sent::Maybe))));
    let mut service = layer.layer(script.clone());
    let mut events = layer.events();
    for _ in 0..5 {
        assert_eq!(service.call(tool("a")).await.unwrap_err().kind(), ErrorKind::Closed);
    }
    let error = service.call(tool("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::BreakerOpen, Sent::No));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(15)));
    assert_eq!((script.calls(), other.state(None)), (5, BreakerState::Closed));
    advance(Duration::from_secs(15)).await;
    service.call(tool("a")).await.unwrap();
    assert_eq!((script.calls(), layer.state(None)), (6, BreakerState::Closed));
    let mut changes = Vec::new();
    for _ in 0..3 {
        let Some(BreakerEvent::Changed { to, .. }) = events.next().await else { panic!("a change") };
        changes.push(to);
    }
    assert_eq!(changes, [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed]);
    let stats = layer.stats();
    assert_eq!((stats.through, stats.refused, stats.failures, stats.openings), (6, 1, 5, 1));
}

#[tokio::test]
async fn case_hub_006_results_with_is_error_and_answers_with_errors_do_not_open_it() {
    let server = MockServer::builder()
        .tool(Tool::new("fails", json!({"type": "object"})), |_| async { Ok(CallToolResult::error("no")) })
        .build();
    let layer = BreakerLayer::default();
    let client = Client::builder().layer(layer.clone()).connect(server.connector()).await.unwrap();
    for _ in 0..20 {
        assert!(client.call("fails").await.unwrap().is_error());
        assert_eq!(client.call("unknown").await.unwrap_err().kind(), ErrorKind::Server);
    }
    assert_eq!((layer.state(None), layer.stats().failures), (BreakerState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn each_tool_has_one_of_its_own_where_that_is_wanted() {
    let layer = BreakerLayer::builder().scope(Scope::Tool).build().unwrap();
    let script = Script::of((0..5).map(|_| Step::Fail(status(503, Sent::Maybe, None))));
    let mut service = layer.layer(script.clone());
    for _ in 0..5 {
        service.call(tool("bad")).await.unwrap_err();
    }
    let error = service.call(tool("bad")).await.unwrap_err();
    assert!(error.to_string().contains("the breaker of tool \"bad\" is open"), "{error}");
    service.call(tool("good")).await.unwrap();
    assert_eq!((layer.state(Some("bad")), layer.state(Some("good"))), (BreakerState::Open, BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn only_one_call_tries_it_out_and_one_that_is_dropped_makes_room() {
    let layer = BreakerLayer::default();
    let script = Script::of((0..5).map(|_| Step::Fail(lost(Sent::Maybe))));
    let mut service = layer.layer(script.clone());
    for _ in 0..5 {
        service.call(tool("a")).await.unwrap_err();
    }
    advance(Duration::from_secs(15)).await;
    script.add([Step::Never, Step::Answer]);
    let probe = service.call(tool("a"));
    let error = service.call(tool("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::BreakerOpen, Some(Duration::ZERO)));
    drop(probe);
    service.call(tool("a")).await.unwrap();
    assert_eq!(layer.state(None), BreakerState::Closed);
}

/// A breaker that pings first, opened by five lost calls, after its cool-down.
async fn half_open(script: &Script, probes: u32) -> (BreakerLayer, Breaker<Script>) {
    let layer = BreakerLayer::builder().ping_first(Duration::from_secs(2)).probes(probes).build().unwrap();
    let mut service = layer.layer(script.clone());
    script.add((0..5).map(|_| Step::Fail(lost(Sent::Maybe))));
    for _ in 0..5 {
        service.call(tool("a")).await.unwrap_err();
    }
    advance(Duration::from_secs(15)).await;
    (layer, service)
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_first_where_that_is_wanted_and_the_call_follows() {
    for probes in [1, 3] {
        let script = Script::default();
        let (layer, mut service) = half_open(&script, probes).await;
        service.call(tool("a")).await.unwrap();
        let methods = script.methods().split_off(5);
        assert_eq!(methods, [vec!["ping"; probes as usize], vec!["tools/call"]].concat());
        assert_eq!(layer.state(None), BreakerState::Closed);
        let stats = layer.stats();
        assert_eq!((stats.through, stats.pings, stats.failures), (6, u64::from(probes), 5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_where_the_ping_before_it_fails() {
    for failure in [Step::Fail(lost(Sent::Maybe)), Step::Fail(status(503, Sent::Maybe, None))] {
        let script = Script::default();
        let (layer, mut service) = half_open(&script, 1).await;
        script.add([failure]);
        let error = service.call(tool("a")).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::BreakerOpen, Sent::No));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)), "twice as long as before");
        assert_eq!(script.methods().split_off(5), ["ping"]);
        assert_eq!(layer.state(None), BreakerState::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_its_ping_is_out_leaves_the_ping_to_the_next() {
    let script = Script::default();
    let (layer, mut service) = half_open(&script, 1).await;
    script.add([Step::Never]);
    let dropped = tokio::time::timeout(Duration::from_secs(1), service.call(tool("a"))).await;
    assert!(dropped.is_err());
    service.call(tool("a")).await.unwrap();
    assert_eq!(script.methods().split_off(5), ["ping", "ping", "tools/call"]);
    assert_eq!(layer.state(None), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_asked_the_call_itself_finds_out() {
    let script = Script::default();
    let (layer, mut service) = half_open(&script, 1).await;
    script.add([Step::Fail(Error::overloaded("full", None)), Step::Answer]);
    service.call(tool("a")).await.unwrap();
    assert_eq!(script.methods().split_off(5), ["ping", "tools/call"]);
    assert_eq!(layer.state(None), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_first_is_what_the_revision_has() {
    for (revision, asked) in [(Revision::LATEST_HANDSHAKE, "ping"), (Revision::V2026_07_28, "server/discover")] {
        let server = MockServer::builder()
            .revisions(Revision::ALL)
            .tool(Tool::new("t", json!({"type": "object"})), |_| async { Ok(CallToolResult::text("done")) })
            .build();
        let layer = BreakerLayer::builder().min_calls(1).ping_first(Duration::from_secs(2)).build().unwrap();
        let builder = Client::builder().revision(revision).layer(layer.clone());
        let client = builder.connect(server.connector()).await.unwrap();
        server.misbehave(When::method("tools/call").nth(1), Misbehaviour::NeverAnswer);
        client.call("t").idle_timeout(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(layer.state(None), BreakerState::Open);
        advance(Duration::from_secs(15)).await;
        let before = server.received().len();
        client.call("t").await.unwrap();
        let methods: Vec<_> = server.received().iter().skip(before).map(|line| line.method().to_owned()).collect();
        assert_eq!(methods, [asked, "tools/call"]);
        assert_eq!((layer.state(None), layer.stats().pings), (BreakerState::Closed, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_opens_it() {
    let server = MockServer::builder()
        .tool(Tool::new("slow", json!({"type": "object"})), |_| async { Ok(CallToolResult::text("at last")) })
        .misbehave(When::method("tools/call"), Misbehaviour::Delay(Duration::from_secs(3)))
        .build();
    let layer = BreakerLayer::builder().min_calls(3).slow_calls(Duration::from_secs(2), 0.5).build().unwrap();
    let client = Client::builder().layer(layer.clone()).connect(server.connector()).await.unwrap();
    for _ in 0..3 {
        client.call("slow").await.unwrap();
    }
    let error = client.call("slow").await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::BreakerOpen, Some("tools/call")));
    assert_eq!(layer.stats().slow, 3);
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_is_opened_and_reset() {
    let layer = BreakerLayer::builder().scope(Scope::Tool).build().unwrap();
    let mut service = layer.layer(Script::default());
    service.call(tool("a")).await.unwrap();
    layer.open();
    let error = service.call(tool("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::BreakerOpen, None));
    advance(Duration::from_secs(3600)).await;
    service.call(tool("a")).await.unwrap_err();
    layer.reset();
    service.call(tool("a")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_on_this_side_says_nothing_of_the_server() {
    let layer = BreakerLayer::default();
    let script = Script::of((0..50).map(|_| Step::Fail(Error::overloaded("full", None))));
    let mut service = layer.layer(script);
    for _ in 0..50 {
        service.call(tool("a")).await.unwrap_err();
    }
    assert_eq!((layer.state(None), layer.stats().failures), (BreakerState::Closed, 0));
}

#[tokio::test]
async fn whoever_listens_too_slowly_is_told_how_much_was_missed() {
    let layer = BreakerLayer::default();
    let mut events = layer.events();
    for _ in 0..200 {
        layer.open();
        layer.reset();
    }
    assert_eq!(events.next().await, Some(BreakerEvent::Missed(144)));
    assert!(matches!(events.next().await, Some(BreakerEvent::Changed { .. })));
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    type Change = fn(BreakerBuilder) -> BreakerBuilder;
    let cases: [(Change, &str); 10] = [
        (|it| it.ping_first(Duration::ZERO), "ping_first has no patience"),
        (|it| it.ping_first(Duration::from_secs(1)).scope(Scope::Tool), "a ping says nothing of a tool"),
        (|it| it.min_calls(0), "min_calls is 0"),
        (|it| it.failure_rate(0.0), "failure_rate is 0"),
        (|it| it.failure_rate(f64::NAN), "failure_rate is NaN"),
        (|it| it.slow_calls(Duration::from_secs(1), 1.5), "slow_calls is 1.5"),
        (|it| it.cool_down(Duration::ZERO), "cool_down is zero"),
        (|it| it.cool_down(Duration::from_secs(500)), "above max_cool_down"),
        (|it| it.probes(0), "probes is 0"),
        (|it| it.window(Duration::ZERO), "window is 0"),
    ];
    for (change, why) in cases {
        let refused = change(BreakerLayer::builder()).build().unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
