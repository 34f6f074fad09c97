//! What the mock server does wrong on demand, byte by byte.

use std::time::Duration;

use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::{Misbehaviour, MockServer, When};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::peer::Peer;

/// A server with a tool and a misbehaviour, and a client after the handshake.
async fn with(fault: &str) -> Peer {
    let tool = Tool::new("t", json!({ "type": "object" }));
    let server = MockServer::builder()
        .logging()
        .tool(tool, |_| async { Ok(CallToolResult::text("fine")) })
        .misbehave_as(fault)
        .unwrap()
        .build();
    Peer::ready(&server, "2025-11-25", json!({})).await
}

/// What comes for a call with id 7, up to its answer or the end of the stream.
async fn lines(fault: &str) -> Vec<String> {
    let mut peer = with(&format!("{fault}@tools/call")).await;
    peer.request(7, "tools/call", json!({ "name": "t", "_meta": { "progressToken": 7 } })).await;
    let mut lines = Vec::new();
    loop {
        let line = peer.line().await;
        let end = line.is_empty() || line.contains("\"result\"") || line.contains("\"error\"");
        if !line.is_empty() {
            lines.push(line);
        }
        if end {
            return lines;
        }
    }
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[tokio::test]
async fn answers_are_replaced_and_mislabelled() {
    assert_eq!(json_of(&lines("answer={\"a\":1}").await[0])["result"], json!({ "a": 1 }));
    assert_eq!(
        json_of(&lines("refuse=no licence").await[0])["error"],
        json!({ "code": -32603, "message": "no licence" })
    );
    assert!(json_of(&lines("wrong-shape").await[0])["result"].is_array());
    assert_eq!(json_of(&lines("id-as-string").await[0])["id"], "7");
    assert_eq!(json_of(&lines("wrong-id").await[0])["id"], "nobody-used-this-id");
    assert_eq!(json_of(&lines("error-without-id").await[0])["id"], Value::Null);
    let batch = json_of(&lines("batch").await[0]);
    assert_eq!((&batch[0]["id"], &batch[1]["method"]), (&json!(7), &json!("notifications/message")));
}

#[tokio::test]
async fn things_come_before_the_answer() {
    assert_eq!(lines("garbage=Weather server ready").await[0], "Weather server ready\n");
    assert_eq!(lines("invalid-utf8").await[0], "{\"text\":\"\u{fffd}\u{fffd}\u{fffd}\"}\n");
    for (fault, method) in [
        ("log-flood=3", "notifications/message"),
        ("progress-flood=3", "notifications/progress"),
        ("ping-storm=3", "ping"),
    ] {
        let lines = lines(fault).await;
        let methods: Vec<_> = lines.iter().map(|line| json_of(line)["method"].clone()).collect();
        assert_eq!(methods, [json!(method), json!(method), json!(method), Value::Null], "{fault}");
    }
}

#[tokio::test]
async fn the_answer_comes_twice_or_never() {
    let mut peer = with("duplicate=1@tools/call").await;
    peer.call(7, "t", json!({})).await;
    let (first, second) = (peer.line().await, peer.line().await);
    assert_eq!(first, second);

    let mut peer = with("never-answer@tools/call#1").await;
    peer.call(7, "t", json!({})).await;
    peer.call(8, "t", json!({})).await;
    assert_eq!(peer.next().await["id"], 8);
}

#[tokio::test]
async fn the_connection_ends_at_the_wrong_time() {
    let mut peer = with("exit-before@tools/call").await;
    peer.call(7, "t", json!({})).await;
    assert_eq!(peer.rest().await, "");

    let mut peer = with("exit-after=3@tools/call").await;
    peer.call(7, "t", json!({})).await;
    assert_eq!(json_of(&peer.rest().await)["id"], 7);

    let mut peer = with("half-message@tools/call").await;
    peer.call(7, "t", json!({})).await;
    let half = peer.rest().await;
    assert!(half.starts_with("{\"jsonrpc\"") && serde_json::from_str::<Value>(&half).is_err(), "{half}");
}

#[tokio::test]
async fn an_oversize_message_has_no_newline() {
    let mut peer = with("oversize=300000@tools/call").await;
    peer.call(7, "t", json!({})).await;
    let mut bytes = vec![0; 300_000];
    peer.reader.read_exact(&mut bytes).await.unwrap();
    assert!(bytes.iter().all(|byte| *byte == b'x'));
    // The stream goes on after it.
    assert_eq!(peer.ask(8, "ping", json!({})).await["id"], 8);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_waited_before_the_answer() {
    let mut peer = with("delay=5000@tools/call").await;
    let start = tokio::time::Instant::now();
    peer.call(7, "t", json!({})).await;
    assert_eq!(peer.next().await["id"], 7);
    assert!(start.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn the_stream_begins_or_is_cut_oddly() {
    for (quirk, begin) in [("banner=Ready.", "Ready.\n{"), ("bom", "\u{feff}{"), ("crlf", "{"), ("chunks=1", "{")] {
        let server = MockServer::builder().misbehave_as(quirk).unwrap().build();
        let mut peer = Peer::connect(&server);
        peer.request(1, "ping", json!({})).await;
        let mut text = peer.line().await;
        if !text.contains("jsonrpc") {
            text.push_str(&peer.line().await);
        }
        assert!(text.starts_with(begin), "{quirk}: {text:?}");
        assert_eq!(text.ends_with("}\r\n"), quirk == "crlf", "{quirk}: {text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn coalesced_messages_come_in_one_write() {
    let server = MockServer::builder().misbehave_as("coalesce=3").unwrap().build();
    let mut peer = Peer::connect(&server);
    for id in 1..=3 {
        peer.request(id, "ping", json!({})).await;
    }
    let mut buffer = vec![0; 4096];
    let n = peer.reader.read(&mut buffer).await.unwrap();
    assert_eq!(buffer[..n].iter().filter(|byte| **byte == b'\n').count(), 3);
    // Fewer come after a moment.
    assert_eq!(peer.ask(4, "ping", json!({})).await["id"], 4);
}

#[tokio::test]
async fn case_tools_001_a_cursor_loop_gives_the_same_page_again() {
    let mut peer = with("cursor-loop").await;
    let first = peer.ask(1, "tools/list", json!({})).await["result"].clone();
    let second = peer.ask(2, "tools/list", json!({ "cursor": first["nextCursor"] })).await["result"].clone();
    assert_eq!(first, second);
}

#[tokio::test]
async fn rules_may_be_added_while_the_server_runs() {
    let server = MockServer::builder().build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    assert!(peer.ask(1, "ping", json!({})).await["result"].is_object());
    server.misbehave(When::method("ping").nth(1), Misbehaviour::WrongShape);
    assert!(peer.ask(2, "ping", json!({})).await["result"].is_array());
    assert!(peer.ask(3, "ping", json!({})).await["result"].is_object());
}
