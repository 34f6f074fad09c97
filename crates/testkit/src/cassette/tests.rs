//! Recording, reading, and playing back.

use std::time::Duration;

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{CallToolResult, LoggingLevel, RawJson, RequestId, Tool};
use bowline_transport::{Connect, Exchange, InboundEvent, Routing, Transport, WireMessage, WireRequest};
use serde_json::{Value, json};

use super::*;
use crate::inspect::tests::Shelf;
use crate::{MockServer, Redaction};

fn server() -> MockServer {
    MockServer::builder()
        .logging()
        .tool(Tool::new("say", json!({"type": "object"})), |call| async move {
            let text: String = call.argument("text")?;
            call.progress(1.0, None, None).await;
            call.log(LoggingLevel::Error, "heard it").await;
            Ok(CallToolResult::text(text))
        })
        .tool(Tool::new("count", json!({"type": "object"})), {
            let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
            move |_| {
                let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                async move { Ok(CallToolResult::text(n.to_string())) }
            }
        })
        .tool(Tool::new("ask", json!({"type": "object"})), |call| async move {
            let roots = call.list_roots().await?;
            Ok(CallToolResult::text(format!("{} roots", roots.roots.len())))
        })
        .build()
}

async fn begin(transport: &dyn Transport, id: i64, method: &'static str, params: Value) -> Exchange {
    let id = RequestId::from(id);
    let token = params.pointer("/_meta/progressToken").and_then(Value::as_str).map(|token| token.into());
    let frame = frame::encode_request(&id, method, Some(&RawJson::from(params)), None, None);
    let mut request = WireRequest::new(id, frame, Routing::new(method));
    request.progress_token = token;
    transport.request(request).await.unwrap()
}

/// What comes of a request, its ids and tokens included.
async fn ask(transport: &dyn Transport, id: i64, method: &'static str, params: Value) -> Vec<String> {
    let mut exchange = begin(transport, id, method, params).await;
    let mut all = Vec::new();
    while let Some(message) = exchange.next().await {
        all.push(String::from_utf8(crate::wire::encode(&message.unwrap()).unwrap().to_vec()).unwrap());
    }
    all
}

fn hello() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "t", "version": "1"}})
}

fn say(text: &str, token: &str) -> Value {
    json!({"name": "say", "arguments": {"text": text}, "_meta": {"progressToken": token}})
}

async fn open(connect: &dyn Connect) -> Box<dyn Transport> {
    let transport = connect.connect().await.unwrap();
    ask(&*transport, 0, "initialize", hello()).await;
    let ready = frame::encode_notification("notifications/initialized", None, None);
    transport.send(WireMessage::new(ready, Routing::new("notifications/initialized"))).await.unwrap();
    transport
}

/// Answers the server's question for roots.
async fn answer_roots(transport: &dyn Transport, roots: usize) {
    let mut inbound = transport.take_inbound().unwrap();
    while let Some(InboundEvent::Message(message)) = inbound.next().await {
        let Message::Request(request) = message else { continue };
        let roots = json!({"roots": vec![json!({"uri": "file:///a"}); roots]});
        let frame = frame::encode_result(&request.id, &roots.into());
        return transport.send(WireMessage::new(frame, Routing::default())).await.unwrap();
    }
    panic!("the server did not ask");
}

/// A cassette of a session with all of it.
async fn recorded(redaction: Redaction) -> String {
    let shelf = Shelf::default();
    let recorder = Recorder::builder().redaction(redaction).to_writer(shelf.clone()).unwrap();
    let server = server();
    let transport = open(&recorder.wrap(server.connector())).await;
    ask(&*transport, 1, "tools/call", say("ahoy", "p1")).await;
    ask(&*transport, 2, "tools/call", json!({"name": "count"})).await;
    ask(&*transport, 3, "tools/call", json!({"name": "count"})).await;
    let (answer, ()) =
        tokio::join!(ask(&*transport, 4, "tools/call", json!({"name": "ask"})), answer_roots(&*transport, 2));
    assert!(answer[0].contains("2 roots"), "{answer:?}");
    ask(&*transport, 5, "tools/call", say("my password is ghp_0123456789abcdefghijABCD", "p5")).await;
    transport.close().await.unwrap();
    drop(transport);
    recorder.finish().unwrap();
    shelf.text()
}

#[tokio::test(start_paused = true)]
async fn a_session_plays_back_by_what_was_said_with_the_ids_of_this_run() {
    let text = recorded(Redaction::new()).await;
    assert!(!text.contains("ghp_"), "{text}");
    let player = Cassette::parse(&text).unwrap().player();
    let transport = open(&player.connector()).await;
    let answer = ask(&*transport, 70, "tools/call", say("ahoy", "other")).await;
    let progress: Value = serde_json::from_str(&answer[0]).unwrap();
    assert_eq!(progress["params"]["progressToken"], "other");
    assert_eq!(answer[1..], [r#"{"jsonrpc":"2.0","id":70,"result":{"content":[{"type":"text","text":"ahoy"}]}}"#]);
    // What was asked twice is answered in turn, and then as the last time.
    for wanted in ["0", "1", "1"] {
        let answer = ask(&*transport, 71, "tools/call", json!({"name": "count", "arguments": {}})).await;
        assert!(answer[0].contains(&format!(r#""text":"{wanted}""#)), "{answer:?}");
    }
    // Another answer than recorded is taken; the server waits for it all the same.
    let (answer, ()) =
        tokio::join!(ask(&*transport, 72, "tools/call", json!({"name": "ask"})), answer_roots(&*transport, 1));
    assert!(answer[0].contains("2 roots"), "{answer:?}");
    // A text that was taken out is any text.
    let answer = ask(&*transport, 73, "tools/call", say("my password is another one", "p")).await;
    assert!(answer.last().unwrap().contains("my password is [redacted]"), "{answer:?}");
    assert_eq!(ask(&*transport, 74, "ping", json!({})).await, [r#"{"jsonrpc":"2.0","id":74,"result":{}}"#]);
    transport.close().await.unwrap();
    let report = player.report();
    assert_eq!((report.answered, report.missed, report.unused), (7, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_recorded_is_an_error_that_shows_the_difference() {
    let player = Cassette::parse(&recorded(Redaction::none()).await).unwrap().player();
    let transport = open(&player.connector()).await;
    let answer = ask(&*transport, 1, "tools/call", json!({"name": "say", "arguments": {"text": "ahoi"}})).await;
    assert!(answer[0].contains(r#"arguments.text: recorded \"ahoy\", came \"ahoi\""#), "{answer:?}");
    let answer = ask(&*transport, 2, "prompts/list", json!({})).await;
    assert!(answer[0].contains("-32601"), "{answer:?}");
    let report = player.report();
    assert_eq!(report.missed, 2);
    assert_eq!(
        report.mismatches[0].to_string(),
        "no tools/call like this was recorded; nearest is line 6 of the cassette\n  arguments.text\n  - \"ahoy\"\n  + \"ahoi\""
    );
    assert_eq!(report.mismatches[1].line, None);
}

#[tokio::test(start_paused = true)]
async fn strictly_the_order_counts_and_answers_do_too() {
    let text = recorded(Redaction::none()).await;
    let strict = || Cassette::parse(&text).unwrap().player().matching(Matching::Strict);
    let player = strict();
    let transport = open(&player.connector()).await;
    ask(&*transport, 11, "tools/call", say("ahoy", "a")).await;
    ask(&*transport, 12, "tools/call", json!({"name": "count"})).await;
    ask(&*transport, 13, "tools/call", json!({"name": "count"})).await;
    tokio::join!(ask(&*transport, 14, "tools/call", json!({"name": "ask"})), answer_roots(&*transport, 1));
    let report = player.report();
    assert_eq!((report.answered, report.missed), (5, 1));
    assert!(report.mismatches[0].to_string().contains("result.roots[1]"), "{}", report.mismatches[0]);

    let player = strict();
    let transport = open(&player.connector()).await;
    let answer = ask(&*transport, 11, "tools/call", json!({"name": "count"})).await;
    assert!(answer[0].contains("error"), "{answer:?}");
    let answer = ask(&*transport, 12, "ping", json!({})).await;
    assert!(answer[0].contains("ping came, and tools/call was due, as in line 6"), "{answer:?}");
    // What is due still is.
    assert_eq!(ask(&*transport, 13, "tools/call", say("ahoy", "a")).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_pace_may_be_the_recorded_one() {
    let text = [
        r#"{"cassette":"bowline","version":1,"redacted":false}"#,
        r#"{"at":0,"connection":1,"event":"opened","server":"s"}"#,
        r#"{"at":1000,"connection":1,"to":"server","frame":{"jsonrpc":"2.0","id":1,"method":"ping"}}"#,
        r#"{"at":61000,"connection":1,"to":"client","frame":{"jsonrpc":"2.0","id":1,"result":{"a":1.50}}}"#,
        r#"{"at":61001,"connection":1,"event":"closed","message":"it ended"}"#,
        r#"{"end":{"lines":4}}"#,
    ]
    .join("\n");
    for (pace, least) in [(Pace::AtOnce, 0), (Pace::AsRecorded, 60)] {
        let player = Cassette::parse(&text).unwrap().player().pace(pace);
        let transport = player.connector().connect().await.unwrap();
        let mut inbound = transport.take_inbound().unwrap();
        let start = tokio::time::Instant::now();
        let answer = ask(&*transport, 9, "ping", json!({})).await;
        assert_eq!(answer, [r#"{"jsonrpc":"2.0","id":9,"result":{"a":1.50}}"#]);
        assert_eq!(start.elapsed().as_secs(), least);
        // The connection ends as it did.
        assert!(matches!(inbound.next().await, Some(InboundEvent::Closed(_))));
        assert!(start.elapsed() < Duration::from_secs(least + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cassette_can_be_continued_and_is_refused_where_it_is_in_use() {
    let folder = std::env::temp_dir().join(format!("bowline-cassette-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("c.jsonl");
    for n in 1..=3_usize {
        let recorder = Recorder::builder().append(&path).unwrap();
        let busy = Recorder::builder().append(&path).unwrap_err();
        assert!(busy.to_string().contains("another recorder"), "{busy}");
        open(&recorder.wrap(server().connector())).await.close().await.unwrap();
        recorder.finish().unwrap();
        drop(recorder);
        let cassette = Cassette::read(&path).unwrap();
        let numbers: Vec<u64> = cassette.connections.iter().map(|connection| connection.number).collect();
        assert_eq!((cassette.requests(), numbers), (n, (1..=n as u64).collect()));
    }
    assert_eq!(Recorder::builder().create(&path).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    Recorder::builder().overwrite(&path).unwrap().finish().unwrap();
    assert_eq!(Cassette::read(&path).unwrap().requests(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cut_or_edited_file_is_refused_with_the_line_and_what_is_wrong() {
    let text = recorded(Redaction::none()).await;
    let lines: Vec<&str> = text.lines().collect();
    let refused = |text: &str| Cassette::parse(text).map(|_| ()).unwrap_err();

    let cut = refused(&text[..text.len() / 2]);
    assert!(cut.is_cut() && cut.line() > 3 && cut.to_string().contains("was cut"), "{cut}");
    let played = Cassette::parse_cut(&text[..text.len() / 2]).unwrap();
    assert!(played.requests() > 0 && played.requests() < 6);
    let cut = refused(&format!("{}\n", lines[..lines.len() - 1].join("\n")));
    assert!(cut.is_cut() && cut.line() == lines.len() - 1, "{cut}");

    let without = |n: usize| {
        lines.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
    };
    // A line that is not missed is one that the count misses.
    let error = refused(&without(lines.len() - 2));
    assert!(error.line() == lines.len() - 1 && error.to_string().contains("are missing"), "{error}");
    for (line, with, wanted) in [
        (0, r#"{"cassette":"other","version":1,"redacted":true}"#, "`other`"),
        (0, r#"{"cassette":"bowline","version":9,"redacted":true}"#, "version 9"),
        (0, "ahoy", "how a cassette begins"),
        (1, r#"{"at":0,"connection":1,"event":"opend"}"#, "unknown variant `opend`"),
        (2, r#"{"at":0.0,"connection":7,"event":"closed"}"#, "connection 7 was not opened"),
        (2, r#"{"at":0.0,"connection":1}"#, "neither or both"),
        (2, r#"{"at":0.0,"connection":1,"to":"server","frame":{"id":1}}"#, "no message"),
        (2, r#"{"at":0.0,"connection":1,"to":"server","frame":[]}"#, "no message"),
        (2, r#"{"at":0.0,"connection":1,"to":"client","frame":{"id":55,"result":{}}}"#, "answers request 55"),
        (2, r#"{"at":0.0,"connection":1,"event":"opened"}"#, "opened before"),
        (2, r#"{"at":-5,"connection":1,"event":"closing"}"#, "time goes on"),
        (2, r#"{"at":0.0,"connection":1,"event":"closing","colour":"red"}"#, "unknown field `colour`"),
        (2, "{\"at\":", "column"),
    ] {
        let mut edited = lines.clone();
        edited[line] = with;
        let error = refused(&edited.join("\n"));
        assert_eq!(error.line(), line + 1, "{error}");
        assert!(error.to_string().contains(wanted) && !error.is_cut(), "{error}");
    }
    assert_eq!(refused("").line(), 1);
    let more = format!("{text}{}\n", lines[1]);
    assert!(refused(&more).to_string().contains("behind the end"));
}

#[cfg(feature = "http")]
#[tokio::test]
async fn over_http_it_answers_with_json_or_a_stream_and_keeps_sessions_apart() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let player = Cassette::parse(&recorded(Redaction::none()).await).unwrap().player();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = player.serve_http(listener).unwrap();
    let address = serving.address();
    let post = async |session: &str, body: Value| {
        let body = body.to_string();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{session}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = post("", json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": hello()})).await;
    assert!(answer.contains("mcp-session-id: replay-1") && answer.contains(r#""id":"a""#), "{answer}");
    let session = "mcp-session-id: replay-1\r\n";
    let call = json!({"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": say("ahoy", "t")});
    let answer = post(session, call).await;
    assert!(answer.contains("text/event-stream") && answer.contains(r#""progressToken":"t""#), "{answer}");
    assert!(answer.contains(r#"data: {"jsonrpc":"2.0","id":8,"result":"#), "{answer}");
    let count = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "count"}});
    assert!(post(session, count).await.contains("application/json"));
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    assert!(post("mcp-session-id: nobody\r\n", ping.clone()).await.starts_with("HTTP/1.1 404"));
    assert!(post(session, json!([ping])).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test(start_paused = true)]
async fn a_client_on_a_byte_stream_is_put_through_and_recorded() {
    let shelf = Shelf::default();
    let recorder = Recorder::builder().to_writer(shelf.clone()).unwrap();
    let input = [
        json!({"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": hello()}).to_string(),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
        "no message".to_owned(),
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": say("ahoy", "t")}).to_string(),
    ];
    // One after the other, as a client would: the server judges a call by whether the session has begun.
    let (client, relayed) = tokio::io::duplex(1 << 16);
    let (relay_in, relay_out) = tokio::io::split(relayed);
    let connect = recorder.wrap(server().connector());
    let relaying = crate::relay(&connect, relay_in, relay_out);
    let talking = async {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
        let (read, mut write) = tokio::io::split(client);
        let mut lines = tokio::io::BufReader::new(read).lines();
        let mut answers = Vec::new();
        for (line, wanted) in input.iter().zip([1, 0, 1, 3]) {
            write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            for _ in 0..wanted {
                answers.push(lines.next_line().await.unwrap().unwrap());
            }
        }
        write.shutdown().await.unwrap();
        drop(write);
        answers
    };
    let (relayed, answers) = tokio::join!(relaying, talking);
    relayed.unwrap();
    assert!(answers[0].contains(r#""id":"i","result""#) && answers[1].contains("-32700"), "{answers:?}");
    assert!(answers[2..].iter().any(|line| line.contains(r#""progressToken":"t""#)), "{answers:?}");
    assert!(answers[2..].iter().any(|line| line.contains(r#""id":7,"result""#)), "{answers:?}");
    drop(connect);
    recorder.finish().unwrap();
    assert_eq!(Cassette::parse(&shelf.text()).unwrap().requests(), 2);
}
