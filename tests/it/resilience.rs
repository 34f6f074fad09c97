//! Layers over the real transports.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::resilience::{RetryLayer, recommended};
use bowline::{ClientBuilder, Safety, Target};
use bowline_testkit::http::{HttpServer, Reply};
use serde_json::json;
use tokio::time::Instant;

use crate::support::within;

/// A server over Streamable HTTP whose answers to `tools/call` are these, by their number.
async fn server(answers: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> (HttpServer, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answers = Arc::new(answers);
    let server = HttpServer::start(move |request| {
        let (counted, answers) = (Arc::clone(&counted), Arc::clone(&answers));
        async move {
            match request.rpc_method().as_str() {
                "initialize" => Reply::result(
                    &request,
                    json!({
                        "protocolVersion": "2025-11-25",
                        "capabilities": { "tools": {} },
                        "serverInfo": { "name": "busy", "version": "1" },
                    }),
                ),
                "tools/call" => {
                    let n = counted.fetch_add(1, Ordering::SeqCst);
                    let done = || Reply::result(&request, json!({ "content": [{ "type": "text", "text": "done" }] }));
                    answers(n).unwrap_or_else(done)
                }
                "" => Reply::status(405),
                _ => Reply::status(202),
            }
        }
    })
    .await
    .unwrap();
    (server, calls)
}

fn busy(status: u16, wait: &str) -> Reply {
    Reply::status(status).with("retry-after", wait).body("later, please")
}

async fn connect(server: &HttpServer, builder: ClientBuilder) -> Client {
    let target = Target::parse(&server.url("/mcp")).unwrap();
    within(builder.revision(Revision::LATEST_HANDSHAKE).connect(target)).await.unwrap()
}

/// Both may be sent again here: 429 was turned away, and after 503 the call only reads.
#[tokio::test]
async fn case_http_025_retry_after_is_kept_over_http() {
    for status in [429, 503] {
        let (server, calls) = server(move |n| (n == 0).then(|| busy(status, "1"))).await;
        let layers = recommended();
        let client = connect(&server, Client::builder().layer(layers.clone())).await;
        let began = Instant::now();
        let result: CallToolResult = within(client.call("t").safety(Safety::ReadOnly)).await.unwrap();
        assert_eq!(result.joined_text(), "done");
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!((calls.load(Ordering::SeqCst), layers.retry().stats().recovered), (2, 1));
    }
}

/// A server that says it in words of the protocol has turned the call away all the same, whatever the call does.
#[tokio::test]
async fn case_http_025_retry_after_is_kept_beside_an_error_of_the_protocol() {
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32029,"message":"too many"}}"#;
    let refused = move |wait| busy(429, wait).with("content-type", "application/json").body(body);
    let (server, calls) = server(move |n| (n == 0).then(|| refused("0"))).await;
    let client = connect(&server, Client::builder().layer(recommended())).await;
    assert_eq!(within(client.call("t")).await.unwrap().joined_text(), "done");
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let (server, _) = self::server(move |_| Some(refused("7"))).await;
    let error = within(connect(&server, Client::builder()).await.call("t")).await.unwrap_err();
    assert_eq!((error.status(), error.sent()), (Some(429), Sent::No));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.server_error().map(|error| error.message.as_str()), Some("too many"));
}

#[tokio::test]
async fn case_http_025_what_was_tried_over_http_is_in_the_last_error() {
    let (server, calls) = server(|n| Some(busy(if n == 1 { 503 } else { 429 }, if n == 2 { "7" } else { "0" }))).await;
    let client = connect(&server, Client::builder().layer(recommended())).await;
    let error = within(client.call("t").safety(Safety::ReadOnly)).await.unwrap_err();
    assert_eq!((error.kind(), calls.load(Ordering::SeqCst)), (ErrorKind::Exhausted, 3));
    // The wait and the status are those of the last answer, the verdict is that of all.
    assert_eq!((error.status(), error.retry_after()), (Some(429), Some(Duration::from_secs(7))));
    assert_eq!(error.sent(), Sent::Maybe);
    let history: Vec<_> = error.attempts().iter().map(|attempt| (attempt.status, attempt.sent)).collect();
    assert_eq!(history, [(Some(429), Sent::No), (Some(503), Sent::Maybe), (Some(429), Sent::No)]);
    assert!(error.attempts().iter().all(|attempt| attempt.message.contains("later, please")), "{error:?}");
    assert!(error.to_string().contains("gave up after 3 attempts (max_attempts is reached)"), "{error}");
}

#[tokio::test]
async fn case_http_025_a_wait_that_is_too_long_is_told_and_not_kept_over_http() {
    let (server, calls) = server(|_| Some(busy(429, "3600"))).await;
    let retry = RetryLayer::builder().max_wait(Duration::from_secs(5)).build().unwrap();
    let client = connect(&server, Client::builder().layer(recommended().with_retry(retry))).await;
    let error = within(client.call("t")).await.unwrap_err();
    assert_eq!((error.sent(), error.retry_after()), (Sent::No, Some(Duration::from_secs(3600))));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// A call that may have run is not sent again, whatever the server says of when to come back.
#[tokio::test]
async fn case_http_026_a_call_that_may_have_run_is_sent_once_over_http() {
    let (server, calls) = server(|_| Some(busy(503, "0"))).await;
    let layers = recommended();
    let client = connect(&server, Client::builder().layer(layers.clone())).await;
    let error = within(client.call("pay")).await.unwrap_err();
    assert_eq!((error.status(), error.sent()), (Some(503), Sent::Maybe));
    assert_eq!((calls.load(Ordering::SeqCst), layers.retry().stats().held_back), (1, 1));
}
