//! What the faults do to a connection.

use std::time::Duration;

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{CallToolResult, RawJson, RequestId, Tool};
use bowline_transport::{Connect, Exchange, InboundEvent, Routing, Sent, Transport, TransportError, WireRequest};
use serde_json::json;

use super::{FaultPlan, Faults};
use crate::{Journal, MockServer};

fn server() -> MockServer {
    MockServer::builder()
        .tool(Tool::new("work", json!({"type": "object"})), |call| async move {
            call.progress(1.0, None, None).await;
            call.progress(2.0, None, None).await;
            Ok(CallToolResult::text("done"))
        })
        .build()
}

async fn begin(
    transport: &dyn Transport,
    id: i64,
    method: &'static str,
    params: serde_json::Value,
) -> Result<Exchange, TransportError> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, method, Some(&RawJson::from(params)), None, None);
    let request = WireRequest::new(id, frame, Routing::new(method)).with_progress_token("p".into());
    transport.request(request).await
}

fn work() -> serde_json::Value {
    json!({"name": "work", "_meta": {"progressToken": "p"}})
}

/// A connection to the server after the handshake, which nothing happens to.
async fn connected(faults: &Faults, server: &MockServer) -> Box<dyn Transport> {
    let transport = faults.wrap(server.connector()).connect().await.unwrap();
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let mut exchange = begin(&*transport, 0, "initialize", hello).await.unwrap();
    assert!(matches!(exchange.next().await, Some(Ok(Message::Response(_)))));
    transport
}

fn to_client(plan: FaultPlan) -> Faults {
    Faults::seeded(11).to_client(plan).spare("initialize")
}

fn to_server(plan: FaultPlan) -> Faults {
    Faults::seeded(11).to_server(plan).spare("initialize")
}

/// What an exchange yields until it ends.
async fn all(mut exchange: Exchange) -> Vec<Result<Message, TransportError>> {
    let mut all = Vec::new();
    while let Some(item) = exchange.next().await {
        all.push(item);
    }
    all
}

/// The progress values among messages.
fn progress(messages: &[Result<Message, TransportError>]) -> Vec<i64> {
    let value = |item: &Result<Message, TransportError>| match item {
        Ok(Message::Notification(n)) => n.params.as_ref()?.to_value()["progress"].as_f64().map(|v| v as i64),
        _ => None,
    };
    messages.iter().filter_map(value).collect()
}

fn methods(journal: &Journal) -> Vec<String> {
    journal.methods().into_iter().filter(|method| method != "initialize").collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_plan_everything_passes_in_order() {
    let (faults, server) = (Faults::seeded(1), server());
    let transport = connected(&faults, &server).await;
    let messages = all(begin(&*transport, 1, "tools/call", work()).await.unwrap()).await;
    assert_eq!(progress(&messages), [1, 2]);
    assert!(matches!(messages.last(), Some(Ok(Message::Response(_)))));
    transport.close().await.unwrap();
    let counts = faults.counts();
    assert_eq!((counts.messages, counts.dropped + counts.cut + counts.garbled), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_never_arrives_and_ends_with_the_connection() {
    let (faults, server) = (to_server(FaultPlan::new().drop(1.0)), server());
    let transport = connected(&faults, &server).await;
    let mut exchange = begin(&*transport, 1, "ping", json!({})).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(3600), exchange.next()).await.is_err());
    transport.close().await.unwrap();
    assert_eq!(exchange.next().await.unwrap().unwrap_err().sent(), Sent::Maybe);
    assert!(methods(server.journal()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_dropped_leaves_the_request_open_and_done() {
    let (faults, server) = (to_client(FaultPlan::new().drop(1.0)), server());
    let transport = connected(&faults, &server).await;
    let mut exchange = begin(&*transport, 1, "tools/call", work()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(3600), exchange.next()).await.is_err());
    assert_eq!(methods(server.journal()), ["tools/call"]);
    assert_eq!(faults.counts().dropped, 3);
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_what_is_open_and_all_that_comes_after() {
    for seed in 0..20 {
        let faults = Faults::seeded(seed).to_server(FaultPlan::new().cut(1.0)).spare("initialize");
        let server = server();
        let transport = connected(&faults, &server).await;
        let mut inbound = transport.take_inbound().unwrap();
        let sent = match begin(&*transport, 1, "ping", json!({})).await {
            Ok(exchange) => all(exchange).await.pop().unwrap().unwrap_err().sent(),
            Err(error) => error.sent(),
        };
        tokio::task::yield_now().await;
        // What did not leave did not arrive.
        assert!(sent != Sent::No || methods(server.journal()).is_empty(), "{faults}");
        let error = begin(&*transport, 2, "ping", json!({})).await.unwrap_err();
        assert!(error.to_string().contains(&format!("seed {seed}")) && error.sent() == Sent::No, "{error}");
        assert!(matches!(inbound.next().await, Some(InboundEvent::Closed(_))));
        transport.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_at_a_cut_ends_with_it() {
    let (faults, server) = (to_client(FaultPlan::new().cut(1.0)), server());
    let transport = connected(&faults, &server).await;
    let first = begin(&*transport, 1, "tools/call", work()).await.unwrap();
    let second = json!({"name": "work", "_meta": {"progressToken": "q"}});
    let id = RequestId::from(2);
    let frame = frame::encode_request(&id, "tools/call", Some(&RawJson::from(second)), None, None);
    let request = WireRequest::new(id, frame, Routing::new("tools/call")).with_progress_token("q".into());
    let second = transport.request(request).await.unwrap();
    // Both are answered before either is looked at.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for exchange in [second, first] {
        let messages = all(exchange).await;
        assert!(matches!(messages.as_slice(), [Err(error)] if error.sent() != Sent::No), "{messages:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn duplicates_are_of_notifications_and_a_second_answer_is_told() {
    let (faults, server) = (to_client(FaultPlan::new().duplicate(1.0)), server());
    let transport = connected(&faults, &server).await;
    let mut inbound = transport.take_inbound().unwrap();
    let messages = all(begin(&*transport, 1, "tools/call", work()).await.unwrap()).await;
    assert_eq!((progress(&messages), messages.len()), (vec![1, 1, 2, 2], 5));
    let Some(InboundEvent::Fault(fault)) = inbound.next().await else { panic!() };
    assert!(fault.to_string().contains("request 1"), "{fault}");
    assert_eq!(methods(server.journal()), ["tools/call"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_held_back_is_overtaken_by_the_next() {
    let (faults, server) = (to_client(FaultPlan::new().reorder(1.0)), server());
    let transport = connected(&faults, &server).await;
    let messages = all(begin(&*transport, 1, "tools/call", work()).await.unwrap()).await;
    assert_eq!(progress(&messages), [2, 1]);
    assert!(matches!(messages.last(), Some(Ok(Message::Response(_)))));
}

#[tokio::test(start_paused = true)]
async fn delays_and_throttles_take_their_time_and_lose_nothing() {
    let start = tokio::time::Instant::now();
    let (faults, server) = (to_client(FaultPlan::new().delay(1.0, Duration::from_secs(60))), server());
    let transport = connected(&faults, &server).await;
    let messages = all(begin(&*transport, 1, "tools/call", work()).await.unwrap()).await;
    assert_eq!((progress(&messages), messages.len()), (vec![1, 2], 3));
    let took = start.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(180), "{took:?}");

    let start = tokio::time::Instant::now();
    let faults = to_server(FaultPlan::new().throttle(10));
    let transport = connected(&faults, &server).await;
    all(begin(&*transport, 1, "ping", json!({})).await.unwrap()).await;
    // Some 50 bytes at 10 a second.
    let took = start.elapsed();
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_garbled_is_read_by_nobody_or_as_something_else() {
    let (faults, server) = (to_server(FaultPlan::new().garble(1.0)), server());
    let transport = connected(&faults, &server).await;
    let mut exchange = begin(&*transport, 1, "ping", json!({})).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(60), exchange.next()).await.is_err());
    assert!(methods(server.journal()).iter().all(|method| method != "ping"));

    let mut read = 0;
    for seed in 0..60 {
        let faults = Faults::seeded(seed).to_client(FaultPlan::new().garble(1.0)).spare("initialize");
        let transport = connected(&faults, &server).await;
        let mut inbound = transport.take_inbound().unwrap();
        let mut exchange = begin(&*transport, 1, "ping", json!({})).await.unwrap();
        match tokio::time::timeout(Duration::from_secs(60), exchange.next()).await {
            Ok(item) => {
                assert!(matches!(item, Some(Ok(Message::Response(_)))), "{faults}");
                read += 1;
            }
            Err(_) => assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(_))), "{faults}"),
        }
    }
    assert!((1..59).contains(&read), "{read} of 60 could still be read");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_faults() {
    let run = async |seed: u64| {
        let plan = FaultPlan::new().drop(0.2).duplicate(0.2).delay(0.2, Duration::from_secs(1)).garble(0.2);
        let faults = Faults::seeded(seed).to_client(plan).to_server(plan).spare("initialize");
        let transport = connected(&faults, &server()).await;
        let mut outcomes = Vec::new();
        for id in 1..40 {
            let exchange = begin(&*transport, id, "tools/call", work()).await.unwrap();
            outcomes.push(tokio::time::timeout(Duration::from_secs(5), all(exchange)).await.map_or(0, |all| all.len()));
        }
        (outcomes, faults.counts())
    };
    assert_eq!(run(5).await, run(5).await);
    assert_ne!(run(5).await, run(6).await);
}

#[cfg(any(feature = "http", feature = "socket"))]
mod proxy {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// What an echo server behind the proxy sends back to the n-th client.
    async fn echoed(faults: &Faults, text: &[u8]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = faults.proxy(listener.local_addr().unwrap()).await.unwrap();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(text).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        // A connection that was cut may end in an error.
        let _ = client.read_to_end(&mut back).await;
        echo.await.unwrap();
        back
    }

    #[tokio::test]
    async fn bytes_pass_through_and_meet_the_same_faults_each_time() {
        let text: Vec<u8> = (0..8_000_u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(echoed(&Faults::seeded(1), &text).await, text);
        let faulty = || Faults::seeded(9).to_client(FaultPlan::new().garble(0.5).drop(0.3).duplicate(0.2));
        let back = echoed(&faulty(), &text).await;
        assert_ne!(back, text);
        assert_eq!(back, echoed(&faulty(), &text).await);
    }

    #[tokio::test]
    async fn a_cut_closes_both_sides() {
        let faults = Faults::seeded(2).to_client(FaultPlan::new().cut(1.0));
        let text = [b'x'; 5_000];
        assert!(echoed(&faults, &text).await.len() < 256);
        assert_eq!(faults.counts().cut, 1);
    }
}
