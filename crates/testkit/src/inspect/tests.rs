//! What an inspector sees.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{CallToolResult, LoggingLevel, RawJson, RequestId, Tool};
use bowline_transport::{Connect, Exchange, Routing, Transport, WireRequest};
use serde_json::{Value, json};

use super::*;
use crate::{Misbehaviour, MockServer, When};

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Vec<u8>>>);

impl Shelf {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shelf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server() -> MockServer {
    MockServer::builder()
        .logging()
        .tool(Tool::new("say", json!({"type": "object"})), |call| async move {
            call.log(LoggingLevel::Error, "heard it").await;
            Ok(CallToolResult::text("the token is ghp_0123456789abcdefghijABCD"))
        })
        .misbehave(When::method("prompts/list"), Misbehaviour::NeverAnswer)
        .build()
}

async fn begin(transport: &dyn Transport, id: i64, method: &'static str, params: Value) -> Exchange {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, method, Some(&RawJson::from(params)), None, None);
    transport.request(WireRequest::new(id, frame, Routing::new(method))).await.unwrap()
}

async fn session(inspector: &Inspector) -> Box<dyn Transport> {
    let transport = inspector.wrap(server().connector()).connect().await.unwrap();
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    assert!(matches!(begin(&*transport, 0, "initialize", hello).await.next().await, Some(Ok(Message::Response(_)))));
    transport
}

fn say() -> Value {
    json!({"name": "say", "arguments": {"password": "hunter2"}})
}

#[tokio::test(start_paused = true)]
async fn every_frame_passes_in_order_with_what_belongs_to_it_and_without_secrets() {
    let (builder, mut stream) = Inspector::builder().stream(100);
    let shelf = Shelf::default();
    let inspector = builder.to_writer(shelf.clone()).build();
    let transport = session(&inspector).await;
    begin(&*transport, 1, "tools/call", say()).await.next().await.unwrap().unwrap();
    let open = begin(&*transport, 2, "prompts/list", json!({})).await;
    open.cancel("enough");
    transport.close().await.unwrap();
    drop(transport);

    let mut seen = Vec::new();
    while let Ok(event) = stream.events.try_recv() {
        seen.push(match event.what {
            Passed::Frame(frame) => {
                assert!(!frame.text.contains("hunter2") && !frame.text.contains("ghp_"), "{}", frame.text);
                assert_eq!(frame.took.is_some(), matches!(frame.kind, FrameKind::Result | FrameKind::Error));
                format!("{:?} {:?} {}", frame.direction, frame.kind, frame.method)
            }
            Passed::GaveUp { id, reason } => format!("gave up {id}: {reason}"),
            Passed::Opened { server } => server,
            Passed::Closing => "closing".to_owned(),
            Passed::Closed(_) => "closed".to_owned(),
            other => format!("{other:?}"),
        });
    }
    let wanted = [
        "a server in this process",
        "ToServer Request initialize",
        "ToClient Result initialize",
        "ToServer Request tools/call",
        // Before the answer, though it came on another way.
        "ToClient Notification notifications/message",
        "ToClient Result tools/call",
        "ToServer Request prompts/list",
        "gave up 2: enough",
        "closing",
    ];
    assert_eq!(seen.get(..wanted.len()).unwrap_or_default(), wanted, "{seen:?}");

    inspector.flush().unwrap();
    let lines: Vec<Value> = shelf.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[3]["frame"]["params"]["arguments"]["password"], "[redacted]");
    assert_eq!((&lines[5]["method"], &lines[5]["for"], &lines[5]["id"]), (&json!("tools/call"), &json!(1), &json!(1)));

    let counts = inspector.counts();
    assert_eq!((counts.connections, counts.to_server, counts.to_client), (1, 3, 3));
    let call = counts.methods["tools/call"];
    assert_eq!((call.sent, call.answered, call.errors, call.lost), (1, 1, 0, 0));
    assert_eq!(counts.methods["prompts/list"].lost, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_id_is_spelled_otherwise_belongs_to_its_request() {
    let server = MockServer::builder().misbehave(When::method("ping"), Misbehaviour::IdAsString).build();
    let (builder, mut stream) = Inspector::builder().method("ping").stream(10);
    let inspector = builder.build();
    let transport = inspector.wrap(server.connector()).connect().await.unwrap();
    begin(&*transport, 1, "ping", json!({})).await.next().await.unwrap().unwrap();

    let Some(Passed::Frame(_)) = stream.next().await.map(|seen| seen.what) else { panic!("the request") };
    let Some(Passed::Frame(answer)) = stream.next().await.map(|seen| seen.what) else { panic!("the answer") };
    assert_eq!((answer.id, answer.took.is_some()), (Some(RequestId::from("1")), true));
    assert_eq!(inspector.counts().methods["ping"].answered, 1);
}

#[tokio::test(start_paused = true)]
async fn filters_choose_what_is_shown_and_not_what_is_counted() {
    let shown = async |builder: InspectorBuilder| {
        let (builder, mut stream) = builder.stream(100);
        let inspector = builder.build();
        let transport = session(&inspector).await;
        begin(&*transport, 1, "tools/call", say()).await.next().await.unwrap().unwrap();
        begin(&*transport, 2, "ping", json!({})).await.next().await.unwrap().unwrap();
        assert_eq!(inspector.counts().to_server, 3);
        let mut methods = Vec::new();
        while let Ok(event) = stream.events.try_recv() {
            methods.push(match event.what {
                Passed::Frame(frame) => frame.method,
                _ => "event".to_owned(),
            });
        }
        methods
    };
    assert_eq!(shown(Inspector::builder().method("tools/*")).await, ["tools/call", "tools/call"]);
    assert_eq!(shown(Inspector::builder().id(2)).await, ["ping", "ping"]);
    let all = shown(Inspector::builder().direction(Direction::ToServer)).await;
    assert_eq!(all, ["initialize", "tools/call", "ping"]);
    assert_eq!(shown(Inspector::builder().direction(Direction::ToClient).method("ping").id(1)).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_drops_and_counts_and_holds_nothing_up() {
    let (builder, mut stream) = Inspector::builder().stream(2);
    let inspector = builder.build();
    let transport = session(&inspector).await;
    for id in 1..100 {
        begin(&*transport, id, "ping", json!({})).await.next().await.unwrap().unwrap();
    }
    assert_eq!(stream.dropped(), 199);
    drop((transport, inspector));
    let mut left = 0;
    while stream.next().await.is_some() {
        left += 1;
    }
    assert!(left <= 3, "{left}");
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_fails_is_told_of_once_asked() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let inspector = Inspector::builder().to_writer(Full).build();
    session(&inspector).await.close().await.unwrap();
    assert_eq!(inspector.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
}
