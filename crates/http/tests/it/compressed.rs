//! Answers that come compressed. Bounds are those of what comes out.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bowline_http::HttpConnect;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Limits, Sent, TransportErrorKind};
use tokio::io::AsyncWriteExt;

use crate::peer::{answering, call, open, open_with, result};

const ENCODINGS: [&str; 3] = ["gzip", "br", "zstd"];
/// How much comes out of a bomb: far more than the limit.
const BOMB: usize = 8 << 20;
const LIMIT: usize = 64 << 10;

async fn compressed(encoding: &str, text: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(text).await.unwrap();
            encoder.shutdown().await.unwrap();
            encoder.into_inner()
        }};
    }
    match encoding {
        "gzip" => with!(GzipEncoder),
        "br" => with!(BrotliEncoder),
        _ => with!(ZstdEncoder),
    }
}

/// A server that answers calls so.
async fn server(reply: impl Fn() -> Reply + Send + Sync + 'static) -> HttpServer {
    answering(move |_| reply()).await
}

fn encoded(status: u16, kind: &str, encoding: &str) -> Reply {
    Reply::status(status).with("content-type", kind).with("content-encoding", encoding)
}

#[tokio::test]
async fn what_comes_compressed_is_read() {
    for encoding in ENCODINGS {
        let json = compressed(encoding, br#"{"jsonrpc":"2.0","id":2,"result":{"a":1}}"#).await;
        let reply = move || encoded(200, "application/json", encoding).body(json.clone());
        let server = server(reply).await;
        assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), r#"{"a":1}"#, "{encoding}");
        let accepted = server.requests()[0].header("accept-encoding").to_owned();
        assert!(accepted.contains(encoding), "{accepted}");

        let events = compressed(encoding, b"data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"a\":1}}\n\n").await;
        let reply = move || encoded(200, "text/event-stream", encoding).body(events.clone());
        let server = self::server(reply).await;
        assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), r#"{"a":1}"#, "{encoding}");
    }
}

#[tokio::test]
async fn what_unpacks_beyond_the_limit_is_an_error_and_no_memory() {
    let text = |head: &str| [head.as_bytes(), &vec![b'x'; BOMB]].concat();
    for encoding in ENCODINGS {
        for (kind, head) in
            [("application/json", r#"{"jsonrpc":"2.0","id":2,"result":""#), ("text/event-stream", "data: ")]
        {
            let bomb = compressed(encoding, &text(head)).await;
            assert!(bomb.len() < BOMB / 500, "{encoding}: {}", bomb.len());
            // Held open: an answer that was read to its end first would never come.
            let reply = move || encoded(200, kind, encoding).data(bomb.clone()).hold();
            let server = server(reply).await;
            let limits = Limits::default().with_max_frame_bytes(LIMIT);
            let transport = open_with(&HttpConnect::new(&server.url("/mcp")).unwrap().limits(limits)).await;
            let error = call(&*transport, 2).await.unwrap_err();
            assert_eq!((error.kind(), error.sent()), (TransportErrorKind::TooLarge, Sent::Yes), "{encoding}: {error}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_unpacks_without_an_end_is_cut() {
    for encoding in ENCODINGS {
        let bomb = compressed(encoding, &vec![b'x'; BOMB]).await;
        let reply = move || encoded(500, "text/plain", encoding).data(bomb.clone()).hold();
        let server = server(reply).await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.status(), error.sent()), (Some(500), Sent::Maybe), "{encoding}");
        assert!(error.to_string().len() < 1000 && error.to_string().contains("xxx"), "{encoding}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_in_its_encoding_fails_its_request_alone() {
    for encoding in ENCODINGS {
        let server = answering(move |request| match request.json()["id"].as_i64() {
            Some(2) => encoded(200, "application/json", encoding).body("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}"),
            _ => Reply::result(request, "{}"),
        })
        .await;
        let transport = open(&server).await;
        let error = call(&*transport, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes), "{encoding}: {error}");
        assert!(error.to_string().contains("not in its encoding"), "{encoding}: {error}");
        assert_eq!(result(call(&*transport, 3).await.unwrap()), "{}");
    }
}

#[tokio::test]
async fn names_of_encodings_have_no_case() {
    let json = compressed("gzip", br#"{"jsonrpc":"2.0","id":2,"result":{"a":1}}"#).await;
    let server = server(move || encoded(200, "application/json", "GZip").body(json.clone())).await;
    assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), r#"{"a":1}"#);
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_named() {
    let packed = server(|| encoded(200, "application/json", "deflate").body(vec![0x78, 0x9c, 0xab, 0x56])).await;
    let error = call(&*open(&packed).await, 2).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes));
    assert!(error.to_string().contains("content encoding \"deflate\""), "{error}");
    // What says so and is not packed does no harm.
    let body = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    let plain = server(move || encoded(200, "application/json", "utf-8").body(body)).await;
    assert_eq!(result(call(&*open(&plain).await, 2).await.unwrap()), "{}");
}
