//! A server that fails on schedule, and a client that goes on working.
//!
//! ```sh
//! cargo run -p bowline --example resilience --features resilience
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::resilience::{BreakerEvent, BreakerEvents, BreakerLayer, FallbackLayer, RetryLayer, recommended};
use bowline::{Reconnect, Reply, Safety};
use bowline_testkit::{Misbehaviour, MockServer, When};
use futures_util::FutureExt;
use serde_json::json;

/// At which runs the server ends the connection in place of an answer.
const CUT: [u64; 4] = [2, 4, 5, 6];
/// How long the breaker leaves the server alone.
const COOL_DOWN: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs = Arc::new(AtomicU64::new(0));
    let server = failing_server(&runs);

    let breaker = BreakerLayer::builder().min_calls(5).failure_rate(0.6).cool_down(COOL_DOWN).build()?;
    let retry = RetryLayer::builder().base_delay(Duration::from_millis(10)).build()?;
    let layers = recommended().with_breaker(breaker.clone()).with_retry(retry);
    let fallback = FallbackLayer::answer(|_, _| {
        let yesterday = CallToolResult::text("as yesterday, I suppose");
        Some(Reply::new(RawJson::from_serialize(&yesterday).ok()?))
    });
    let client = Client::builder()
        .layer(fallback.clone())
        .layer(layers.clone())
        .reconnect(Reconnect::default().with_base_delay(Duration::from_millis(10)))
        .connect(server.connector())
        .await?;

    let mut events = breaker.events();
    for (nth, pause) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (6, 2)] {
        // Once open, the breaker is given its time; it is twice as long after a probe that failed.
        tokio::time::sleep(COOL_DOWN * pause + Duration::from_millis(u64::from(pause) * 20)).await;
        let before = layers.retry().stats();
        let forecast = client.call("forecast").safety(Safety::ReadOnly).await?;
        let retries = layers.retry().stats().retries - before.retries;
        println!("call {nth}: {} ({retries} retries)", forecast.joined_text());
        print_changes(&mut events);
    }

    let (attempts, ran) = (layers.limits().stats().calls, runs.load(Ordering::SeqCst));
    println!("{:?}", layers.retry().stats());
    println!("{:?}", breaker.stats());
    println!("{:?}", fallback.stats());
    println!("the client made {attempts} attempts, the server ran {ran}");
    client.close().await?;
    if attempts != ran {
        return Err("the counts differ".into());
    }
    Ok(())
}

fn failing_server(runs: &Arc<AtomicU64>) -> MockServer {
    let runs = Arc::clone(runs);
    let forecast = Tool::new("forecast", json!({"type": "object"}));
    let server = MockServer::builder().tool(forecast, move |_| {
        let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(CallToolResult::text(format!("fair winds (run {run} of the server)"))) }
    });
    let cut = |server: bowline_testkit::MockServerBuilder, nth: &u64| {
        server.misbehave(When::method("tools/call").nth(*nth), Misbehaviour::ExitBefore(0))
    };
    CUT.iter().fold(server, cut).build()
}

fn print_changes(events: &mut BreakerEvents) {
    while let Some(Some(event)) = events.next().now_or_never() {
        if let BreakerEvent::Changed { from, to, .. } = event {
            println!("        the breaker: {from:?} -> {to:?}");
        }
    }
}
