//! Attempts after the first one.

use std::time::Duration;

use bowline_client::{Call, ErrorKind, Safety};
use bowline_resilience::{RetryBuilder, RetryLayer};
use bowline_transport::Sent;
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, lost, status, tool};

fn fails(error: impl Fn() -> bowline_client::Error, times: usize) -> Vec<Step> {
    (0..times).map(|_| Step::Fail(error())).collect()
}

#[tokio::test(start_paused = true)]
async fn case_http_025_a_wait_that_the_server_asks_for_is_kept_or_told() {
    let second = Some(Duration::from_secs(1));
    let script = Script::of(fails(|| status(429, Sent::No, second), 1));
    let layer = RetryLayer::default();
    let mut service = layer.layer(script.clone());
    service.call(Call::new("tools/list")).await.unwrap();
    assert_eq!(script.pauses(), [Duration::from_secs(1)]);
    assert_eq!(script.attempts(), [1, 2]);
    assert_eq!((layer.stats().retries, layer.stats().recovered), (1, 1));

    // Longer than anybody waits: at once, with the wait and the status.
    let long = Some(Duration::from_secs(100_000));
    script.add(fails(|| status(429, Sent::No, long), 1));
    let error = service.call(Call::new("tools/list")).await.unwrap_err();
    assert_eq!((error.status(), error.retry_after(), error.sent()), (Some(429), long, Sent::No));
    assert_eq!(script.calls(), 3);

    // Without one a backoff with jitter, never longer than what is due.
    script.add(fails(|| status(429, Sent::No, None), 2));
    service.call(Call::new("tools/list")).await.unwrap();
    let pauses = script.pauses();
    assert!(pauses[3] <= Duration::from_millis(201) && pauses[4] <= Duration::from_millis(401), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn case_http_026_what_may_have_run_is_sent_again_only_where_that_is_harmless() {
    for (error, sent) in [(status(503, Sent::Maybe, None), Sent::Maybe), (lost(Sent::Maybe), Sent::Maybe)] {
        for (call, expected) in [
            (tool("pay"), 1),
            (tool("pay").with_safety(Safety::Idempotent), 2),
            (tool("pay").with_safety(Safety::ReadOnly), 2),
            (Call::new("tools/list"), 2),
        ] {
            let script = Script::of([Step::Fail(error.clone())]);
            let layer = RetryLayer::default();
            let outcome = layer.layer(script.clone()).call(call).await;
            assert_eq!(script.calls(), expected);
            match outcome {
                Ok(_) => assert_eq!(expected, 2),
                Err(error) => {
                    assert_eq!((error.sent(), layer.stats().held_back), (sent, 1));
                    assert!(error.attempts().is_empty());
                }
            }
        }
    }
    for error in [status(429, Sent::No, None), lost(Sent::No)] {
        let script = Script::of([Step::Fail(error)]);
        RetryLayer::default().layer(script.clone()).call(tool("pay")).await.unwrap();
        assert_eq!(script.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_and_then_may_have_been_is_not_sent_again() {
    let script = Script::of([Step::Fail(lost(Sent::No)), Step::Fail(lost(Sent::Maybe)), Step::Answer]);
    let error = RetryLayer::default().layer(script.clone()).call(tool("pay")).await.unwrap_err();
    assert_eq!((script.calls(), error.kind(), error.sent()), (2, ErrorKind::Closed, Sent::Maybe));
    let history: Vec<_> = error.attempts().iter().map(|attempt| attempt.sent).collect();
    assert_eq!(history, [Sent::No, Sent::Maybe]);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_has_the_history_and_the_verdict_on_all_of_it() {
    let script = Script::of([
        Step::Fail(lost(Sent::Maybe)),
        Step::Fail(status(503, Sent::Maybe, Some(Duration::from_secs(2)))),
        Step::Fail(lost(Sent::No)),
    ]);
    let layer = RetryLayer::default();
    let error = layer.layer(script.clone()).call(Call::new("tools/list")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent(), script.calls()), (ErrorKind::Exhausted, Sent::Maybe, 3));
    let history: Vec<_> = error.attempts().iter().map(|attempt| (attempt.kind, attempt.status)).collect();
    let kinds = [(ErrorKind::Closed, None), (ErrorKind::Protocol, Some(503)), (ErrorKind::Closed, None)];
    assert_eq!(history, kinds);
    assert!(error.attempts()[2].after >= Duration::from_secs(2));
    assert!(error.to_string().starts_with("gave up after 3 attempts (max_attempts is reached): "), "{error}");
    assert_eq!(layer.stats().exhausted, 1);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_that_the_calls_time_does_not_allow() {
    let wait = Some(Duration::from_secs(5));
    let script = Script::of(fails(|| status(429, Sent::No, wait), 10));
    let mut service = RetryLayer::builder().max_attempts(10).build().unwrap().layer(script.clone());
    let call = Call::new("tools/list").with_total(Duration::from_secs(12));
    let error = service.call(call).await.unwrap_err();
    assert_eq!((script.calls(), error.kind()), (3, ErrorKind::Exhausted));
    assert!(error.to_string().contains("no time is left"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_multiply_calls_beyond_the_budget() {
    let layer = RetryLayer::builder().max_attempts(5).budget(0.1, 0).build().unwrap();
    let script = Script::of(fails(|| lost(Sent::No), 100_000));
    let mut service = layer.layer(script.clone());
    for _ in 0..1000 {
        service.call(tool("pay")).await.unwrap_err();
    }
    let stats = layer.stats();
    assert!(stats.retries > 0 && stats.retries <= 110, "{stats:?}");
    assert!(stats.over_budget >= 890, "{stats:?}");
    assert_eq!(script.calls() as u64, stats.calls + stats.retries);
}

#[tokio::test(start_paused = true)]
async fn another_rule_says_what_may_pass_and_never_what_is_safe() {
    let layer = RetryLayer::builder().retry_if(|_, _| true).build().unwrap();
    let script = Script::of([Step::Fail(lost(Sent::Yes))]);
    layer.layer(script.clone()).call(tool("pay")).await.unwrap_err();
    assert_eq!(script.calls(), 1);
    let script = Script::of([Step::Fail(bowline_client::Error::overloaded("full", None))]);
    layer.layer(script.clone()).call(tool("pay")).await.unwrap();
    assert_eq!(script.calls(), 2);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    type Change = fn(RetryBuilder) -> RetryBuilder;
    let cases: [(Change, &str); 7] = [
        (|it| it.total(Duration::ZERO), "total is zero"),
        (|it| it.budget(0.2, u32::MAX), "reserve is 4294967295 a second"),
        (|it| it.max_attempts(0), "max_attempts is 0"),
        (|it| it.base_delay(Duration::ZERO), "base_delay is zero"),
        (|it| it.base_delay(Duration::from_secs(9)), "base_delay (9s) is above max_delay (5s)"),
        (|it| it.budget(-0.5, 1), "ratio is -0.5"),
        (|it| it.budget(f32::NAN, 1), "ratio is NaN"),
    ];
    for (change, why) in cases {
        let refused = change(RetryLayer::builder()).build().unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
