//! Scripted peers, in memory.

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{RawJson, RequestId};
use bowline_testkit::{Journal, Script};
use bowline_transport::{Connect, Routing, Transport, TransportErrorKind, WireRequest};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::peer::Peer;

async fn ask(transport: &dyn Transport, id: i64, method: &'static str) -> Result<Value, String> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, method, Some(&RawJson::EMPTY_OBJECT), None, None);
    let mut exchange =
        transport.request(WireRequest::new(id, frame, Routing::new(method))).await.map_err(|e| e.to_string())?;
    match exchange.next().await {
        Some(Ok(Message::Response(response))) => {
            response.outcome.map(|result| result.into_raw().unwrap().to_value()).map_err(|e| e.to_string())
        }
        other => Err(format!("{other:?}")),
    }
}

/// Plays a script against a client that speaks in lines.
fn play(script: Script) -> (Peer, Journal) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let journal = Journal::default();
    let theirs_journal = journal.clone();
    tokio::spawn(async move {
        let (reader, writer) = tokio::io::split(theirs);
        let _ = script.serve(reader, writer, &theirs_journal).await;
    });
    (Peer::new(ours), journal)
}

#[tokio::test]
async fn a_script_answers_what_it_expects_and_passes_over_the_rest() {
    let (connect, journal) = Script::new()
        .send("Weather server ready on stdio")
        .expect("tools/list")
        .reply(json!({ "tools": [] }))
        .expect("ping")
        .reply_error(-32603, "no licence")
        .connector();
    let transport = connect.connect().await.unwrap();
    let first = ask(&*transport, 1, "tools/list").await.unwrap();
    assert_eq!(first, json!({ "tools": [] }));
    let notification = frame::encode_notification("notifications/x", None, None);
    transport.send(bowline_transport::WireMessage::new(notification, Routing::new("notifications/x"))).await.unwrap();
    assert!(ask(&*transport, 2, "ping").await.unwrap_err().contains("no licence"));
    transport.close().await.unwrap();
    journal.wait_ended().await;
    assert_eq!(journal.methods(), ["tools/list", "notifications/x", "ping"]);
}

#[tokio::test]
async fn each_connection_runs_the_script_from_the_start() {
    let (connect, journal) = Script::new().expect("ping").reply(json!({ "n": 1 })).connector();
    for _ in 0..2 {
        let transport = connect.connect().await.unwrap();
        assert_eq!(ask(&*transport, 1, "ping").await.unwrap(), json!({ "n": 1 }));
        transport.close().await.unwrap();
    }
    assert_eq!((journal.connections(), journal.methods().len()), (2, 2));
}

#[tokio::test]
async fn case_stdio_006_text_that_is_split_between_bytes_arrives_whole() {
    let line = "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"text\":\"na\u{ef}ve \u{2014} \u{1f419}\"}}\n";
    let (connect, _) = Script::new().expect("tools/call").send_bytewise(line).connector();
    let transport = connect.connect().await.unwrap();
    assert_eq!(ask(&*transport, 5, "tools/call").await.unwrap()["text"], "na\u{ef}ve \u{2014} \u{1f419}");
}

#[tokio::test]
async fn a_long_message_is_put_together_from_repetitions() {
    let (connect, _) = Script::new()
        .expect("tools/call")
        .send_raw(br#"{"jsonrpc":"2.0","id":1,"result":{"text":""#)
        .send_repeated("\u{1f419} ", 100_000)
        .send_raw(b"\"}}\n")
        .connector();
    let transport = connect.connect().await.unwrap();
    assert_eq!(ask(&*transport, 1, "tools/call").await.unwrap()["text"].as_str().unwrap().len(), 500_000);
}

#[tokio::test]
async fn an_exit_ends_the_connection() {
    let (connect, _) = Script::new().handshake("2025-11-25", json!({})).exit(2).connector();
    let transport = connect.connect().await.unwrap();
    ask(&*transport, 1, "initialize").await.unwrap();
    let frame = frame::encode_notification("notifications/initialized", None, None);
    transport.send(bowline_transport::WireMessage::new(frame, Routing::default())).await.unwrap();
    let mut inbound = transport.take_inbound().unwrap();
    let Some(bowline_transport::InboundEvent::Closed(error)) = inbound.next().await else { panic!("the end") };
    assert_eq!(error.kind(), TransportErrorKind::Closed);
}

#[tokio::test]
async fn a_script_asks_and_waits_for_the_answer() {
    let question = json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" });
    let (mut peer, _) = play(Script::new().send(question.to_string()).expect_answer(json!("p")).send("thanks"));
    assert_eq!(peer.next().await["id"], "p");
    peer.send(json!({ "jsonrpc": "2.0", "id": "other", "result": {} })).await;
    peer.send(json!({ "jsonrpc": "2.0", "id": "p", "result": {} })).await;
    assert_eq!(peer.line().await, "thanks\n");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_ends_a_script_that_waits_unless_it_says_otherwise() {
    let (mut peer, _) = play(Script::new().hang());
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, "");

    let (mut peer, _) = play(Script::new().expect("never").send("never"));
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, "");

    let (mut peer, _) = play(Script::new().wait_eof().send("bye").sleep(10).send("now"));
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, "bye\nnow\n");

    let (mut peer, _) = play(Script::new().ignore_eof().sleep(5_000).send("still here").exit(0));
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, "still here\n");
}

#[tokio::test]
async fn lines_before_the_end_of_the_input_are_still_looked_at() {
    let (mut peer, journal) = play(Script::new().expect("a").reply(json!(1)).expect("b").reply(json!(2)));
    peer.write(b"{\"id\":1,\"method\":\"a\"}\n{\"id\":2,\"method\":\"b\"}\nno message").await;
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await.lines().count(), 2);
    assert_eq!(journal.lines().last().unwrap().frame, "no message");
}

#[tokio::test]
async fn a_closed_output_leaves_the_input_open() {
    let (mut peer, journal) = play(Script::new().close_stdout().expect("ping"));
    assert_eq!(peer.rest().await, "");
    peer.request(1, "ping", json!({})).await;
    journal.wait_for_method("ping").await;
}

#[test]
fn a_script_is_readable_json() {
    let script = Script::new().send("hi").expect("ping").reply(json!({})).sleep(5).ignore_eof().hang();
    let text = r#"[{"send":"hi"},{"expect":"ping"},{"reply":{}},{"sleep":5},"ignore_eof","hang"]"#;
    assert_eq!(script.to_json(), text);
    assert_eq!(Script::from_json(text).unwrap(), script);
    assert!(Script::from_json(r#"[{"explode":1}]"#).is_err());
}
