//! Calls as streams, and many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Event};
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::{CallEvent, CallStream, Order, Overflow, batch, events, merge, recommended};
use bowline_testkit::{Misbehaviour, MockServer, ToolCall, When};
use bowline_transport::{Fault, Sent};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{Instant, sleep};

fn server() -> MockServer {
    let schema = json!({"type": "object"});
    MockServer::builder()
        .tool(Tool::new("count", schema.clone()), |call: ToolCall| async move {
            let steps: u32 = call.argument("steps")?;
            let pause: u64 = call.argument("pause").unwrap_or(0);
            for step in 1..=steps {
                call.progress(f64::from(step), None, None).await;
                if pause > 0 {
                    sleep(Duration::from_secs(pause)).await;
                }
            }
            Ok(CallToolResult::text("counted"))
        })
        .tool(Tool::new("wait", schema), |call: ToolCall| async move {
            let seconds: u64 = call.argument("seconds")?;
            sleep(Duration::from_secs(seconds)).await;
            if seconds == 2 { Ok(CallToolResult::error("two")) } else { Ok(CallToolResult::text(seconds.to_string())) }
        })
        .build()
}

async fn client(server: &MockServer) -> Client {
    Client::builder().connect(server.connector()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn progress_comes_in_order_and_then_the_end() {
    let server = server();
    let client = client(&server).await;
    let mut events = events(client.call("count").arg("steps", 1000).arg("pause", 0)).buffer(1, Overflow::Wait);
    let mut next = 1.0;
    while let Some(event) = events.next().await {
        match event {
            CallEvent::Progress(progress) => {
                assert_eq!(progress.progress, next);
                next += 1.0;
            }
            CallEvent::Done(outcome) => assert_eq!(outcome.unwrap().joined_text(), "counted"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(next, 1001.0);
    assert!(events.next().await.is_none());
}

/// Reads until the end, and gives the numbers of the progress that came.
async fn told(events: CallStream<CallToolResult>) -> Vec<f64> {
    let mut all: Vec<_> = events.collect().await;
    let end = all.pop();
    assert!(matches!(&end, Some(CallEvent::Done(Ok(result))) if result.joined_text() == "counted"), "{end:?}");
    let numbers = all.iter().map(|event| if let CallEvent::Progress(told) = event { told.progress } else { f64::NAN });
    numbers.collect()
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_nothing_within_the_bound_and_stops_nobody() {
    let server = server();
    let client = client(&server).await;
    let mut slow = events(client.call("count").arg("steps", 4000)).buffer(1, Overflow::Wait);
    assert!(matches!(slow.next().await, Some(CallEvent::Progress(first)) if first.progress == 1.0));
    // Nobody reads it while others come and go.
    for _ in 0..10 {
        assert_eq!(told(events(client.call("count").arg("steps", 100))).await.len(), 100);
    }
    sleep(Duration::from_secs(5)).await;
    let rest: Vec<f64> = (2..=4000).map(f64::from).collect();
    assert_eq!(told(slow).await, rest);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_of_a_byte_stream_a_call_is_cancelled_and_its_reader_gets_all_before_and_an_error() {
    let server = server();
    // With layers and without: what a reader wants goes through them.
    for builder in [Client::builder(), Client::builder().layer(recommended())] {
        let client = builder.connect(server.connector()).await.unwrap();
        let mut slow = events(client.call("count").arg("steps", 10_000)).buffer(1, Overflow::Wait);
        assert!(matches!(slow.next().await, Some(CallEvent::Progress(first)) if first.progress == 1.0));
        assert_eq!(told(events(client.call("count").arg("steps", 100))).await.len(), 100);
        // Long before anybody reads on.
        server.journal().wait_for_method("notifications/cancelled").await;
        sleep(Duration::from_secs(5)).await;
        let mut rest: Vec<_> = slow.collect().await;
        let Some(CallEvent::Done(Err(error))) = rest.pop() else { panic!("an error") };
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Overloaded, Sent::Yes));
        assert!(error.to_string().contains("max_exchange_queue"), "{error}");
        assert!(rest.len() >= 4096, "{}", rest.len());
        let numbers = rest.iter().map(|event| if let CallEvent::Progress(told) = event { told.progress } else { 0.0 });
        assert!(numbers.eq((2..).take(rest.len()).map(f64::from)), "there is no gap");
        client.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_connection_drops_is_counted_where_the_oldest_may_give_way() {
    let server = server();
    for builder in [Client::builder(), Client::builder().layer(recommended())] {
        let client = builder.connect(server.connector()).await.unwrap();
        let mut faults = client.events();
        let mut slow = events(client.call("count").arg("steps", 10_000)).buffer(10, Overflow::DropOldest);
        let mut all = vec![slow.next().await.unwrap()];
        sleep(Duration::from_secs(5)).await;
        all.extend(slow.collect::<Vec<_>>().await);
        assert!(matches!(all.last(), Some(CallEvent::Done(Ok(_)))), "{:?}", all.last());
        let told = all.iter().filter(|event| matches!(event, CallEvent::Progress(_))).count() as u64;
        let missed: u64 = all.iter().map(|event| if let CallEvent::Missed(n) = event { *n } else { 0 }).sum();
        assert_eq!(told + missed, 10_000);
        assert!(matches!(faults.next().await, Some(Event::Fault(Fault::ProgressDropped { .. }))));
        client.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_buffer_cannot_hold_is_dropped_and_counted_or_ends_the_call() {
    let server = server();
    let client = client(&server).await;
    server.misbehave(When::method("tools/call"), Misbehaviour::ProgressFlood(500));
    let all: Vec<_> = events(client.call("count").arg("steps", 0)).buffer(10, Overflow::DropOldest).collect().await;
    let told = all.iter().filter(|event| matches!(event, CallEvent::Progress(_))).count() as u64;
    let missed: u64 = all.iter().map(|event| if let CallEvent::Missed(n) = event { *n } else { 0 }).sum();
    assert_eq!(told + missed, 500);
    assert!(missed > 0 && matches!(all.last(), Some(CallEvent::Done(Ok(_)))), "{missed}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_happens_ends_and_the_server_is_told() {
    let server = server();
    let client = client(&server).await;
    let call = client.call("count").arg("steps", 3).arg("pause", 20);
    let began = Instant::now();
    let all: Vec<_> = events(call).idle(Duration::from_secs(15)).collect().await;
    assert_eq!((all.len(), began.elapsed().as_secs()), (2, 15));
    let Some(CallEvent::Done(Err(error))) = all.last() else { panic!("{all:?}") };
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe));
    server.journal().wait_for_method("notifications/cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn time_before_a_stream_is_polled_is_not_idle() {
    let server = server();
    let client = client(&server).await;
    let events = events(client.call("count").arg("steps", 2).arg("pause", 10)).idle(Duration::from_secs(15));
    sleep(Duration::from_secs(20)).await;
    assert_eq!(told(events).await, [1.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_takes_long_gives_the_call_its_whole_time() {
    let server = server();
    let client = client(&server).await;
    let mut events = events(client.call("count").arg("steps", 2).arg("pause", 30)).idle(Duration::from_secs(15));
    assert!(matches!(events.next().await, Some(CallEvent::Progress(_))));
    // The next comes 10 s after the reader is back.
    sleep(Duration::from_secs(20)).await;
    assert!(matches!(events.next().await, Some(CallEvent::Progress(_))));
    let began = Instant::now();
    let end = events.next().await;
    assert!(matches!(&end, Some(CallEvent::Done(Err(error))) if error.kind() == ErrorKind::Timeout), "{end:?}");
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn several_calls_are_one_stream() {
    let server = server();
    let client = client(&server).await;
    let calls = [1, 2].map(|pause| events(client.call("count").arg("steps", 2).arg("pause", pause)));
    let all: Vec<_> = merge(calls, Order::RoundRobin).collect().await;
    for which in [0, 1] {
        let of: Vec<_> = all.iter().filter(|(stream, _)| *stream == which).map(|(_, event)| event).collect();
        assert!(matches!(of[..], [CallEvent::Progress(_), CallEvent::Progress(_), CallEvent::Done(Ok(_))]), "{of:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_runs_so_many_at_once_and_each_has_its_own_outcome() {
    let server = server();
    let client = client(&server).await;
    let calls = || [3, 1, 2, 0].map(|seconds| client.call("wait").arg("seconds", seconds));
    let began = Instant::now();
    let done: Vec<_> = batch(calls()).at_once(2).as_completed().map(|(index, _)| index).collect().await;
    // The first takes 3 s; beside it run 1 s, then 2 s, then the last.
    assert_eq!((done, began.elapsed().as_secs()), (vec![1, 0, 2, 3], 3));
    let in_order: Vec<_> = batch(calls()).at_once(4).in_order().collect().await;
    let indices: Vec<_> = in_order.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
    assert!(in_order[2].1.as_ref().unwrap().is_error());
    let bad = [client.call("absent"), client.call("wait").arg("seconds", 0)];
    let outcomes: Vec<_> = batch(bad).in_order().map(|(_, outcome)| outcome.is_ok()).collect().await;
    assert_eq!(outcomes, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_sends_no_more() {
    let begun = Arc::new(AtomicUsize::new(0));
    let calls = (0..100).map(|_| {
        let begun = Arc::clone(&begun);
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_secs(1)).await;
        }
    });
    let mut outcomes = batch(calls).at_once(3).as_completed();
    outcomes.next().await.unwrap();
    drop(outcomes);
    sleep(Duration::from_secs(10)).await;
    assert!(begun.load(Ordering::SeqCst) <= 5);
}
