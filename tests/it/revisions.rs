//! Each revision through the same paces, over each transport that has it: find the server, list, call, fail, progress,
//! log, give up, be asked, go on as a task, see a change, close, and nothing is left.

use bowline::prelude::*;
use bowline::protocol::{CompletionReference, ErrorCode};
use bowline::{ClientBuilder, Eras, Started, Target};
use bowline_testkit::MockServer;
use bowline_testkit::http::{HttpMode, MockHttp};
use bowline_testkit::socket::MockSocket;
use bowline_testkit::websocket::MockWebSocket;
use bowline_tests::paces;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Child, until, watched, within};

/// A test for each revision of a transport, which is a function beside the module.
macro_rules! revisions {
    ($($transport:ident: $($test:ident)+;)+) => {$(
        mod $transport {
            $(
                #[tokio::test]
                async fn $test() {
                    let revision = stringify!($test).trim_start_matches("of_").replace('_', "-");
                    super::$transport(revision.parse().unwrap()).await;
                }
            )+
        }
    )+};
}

revisions! {
    stdio: of_2024_11_05 of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
    // The transport of 2024-11-05 alone.
    http_and_sse: of_2024_11_05;
    http_json: of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
    http_stream: of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
    websocket: of_2024_11_05 of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
    tcp: of_2024_11_05 of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
    unix: of_2024_11_05 of_2025_03_26 of_2025_06_18 of_2025_11_25 of_2026_07_28;
}

async fn stdio(revision: Revision) {
    let child = Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--paces", "--revision", &revision.to_string()]);
    tour(child.connect.clone(), revision).await;
    until("the server is gone", || child.processes().is_empty()).await;
}

async fn http_and_sse(revision: Revision) {
    let server = MockHttp::new(server(revision)).start().await.unwrap();
    tour(Target::parse(&server.url("/sse")).unwrap(), revision).await;
}

async fn http_json(revision: Revision) {
    http(HttpMode::Json, revision).await;
}

async fn http_stream(revision: Revision) {
    http(HttpMode::Stream, revision).await;
}

async fn http(mode: HttpMode, revision: Revision) {
    let server = MockHttp::new(server(revision)).mode(mode).start().await.unwrap();
    tour(Target::parse(&server.url("/mcp")).unwrap(), revision).await;
}

async fn websocket(revision: Revision) {
    let server = MockWebSocket::new(server(revision)).start().unwrap();
    tour(Target::parse(&server.url("/")).unwrap(), revision).await;
}

async fn tcp(revision: Revision) {
    let server = MockSocket::new(server(revision)).tcp().unwrap();
    tour(Target::parse(server.target()).unwrap(), revision).await;
}

async fn unix(revision: Revision) {
    let server = MockSocket::new(server(revision)).unix().unwrap();
    tour(Target::parse(server.target()).unwrap(), revision).await;
}

fn server(revision: Revision) -> MockServer {
    paces::builder().revisions([revision]).build()
}

/// A client that knows nothing of the server, and can do all that it may ask for.
fn builder() -> ClientBuilder {
    Client::builder()
        .eras(Eras::new())
        .roots(vec![Root::new("file:///harbour")])
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async {
            Ok(ElicitResult::accept([("name", json!("Ashley"))]))
        })
        .on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
            Ok(CreateMessageResult::new("a-model", bowline::protocol::TextContent::new("in short")))
        })
}

async fn tour(connect: impl Connect + 'static, revision: Revision) {
    let (builder, mut events) = watched(builder());
    let client = within(builder.connect(connect)).await.unwrap();
    let info = client.server();
    assert_eq!((info.revision, info.info.name.as_str()), (revision, "bowline-demo"));
    assert!(info.instructions.is_some());

    let tools = within(client.tools().all()).await.unwrap().len();
    assert_eq!(tools, 11);
    assert_eq!(within(client.resources().all()).await.unwrap().len(), 2);
    assert_eq!(within(client.resource_templates().all()).await.unwrap().len(), 1);
    assert_eq!(within(client.prompts().all()).await.unwrap().len(), 2);

    assert_eq!(call(&client, "add", json!({ "a": 2, "b": 3 })).await, "5");
    assert!(within(client.call("fail")).await.unwrap().is_error());
    let unknown = within(client.call("no-such-tool")).await.unwrap_err();
    assert_eq!(unknown.code(), Some(ErrorCode::INVALID_PARAMS));
    let read = within(client.read("demo://knots/bowline")).await.unwrap();
    assert!(matches!(read.contents.as_slice(), [ResourceContents::Text(text)] if text.text.contains("loop")));
    assert_eq!(within(client.prompt("greet")).await.unwrap().messages.len(), 1);
    let languages = client.complete(CompletionReference::prompt("review"), "language", "ru");
    assert_eq!(within(languages).await.unwrap().completion.values, ["rust", "ruby"]);

    tells_progress_and_logs(&client, &mut events).await;

    let hung = client.call("hang").max_time(Duration::from_millis(200));
    assert!(within(hung).await.unwrap_err().is_timeout());
    assert_eq!(call(&client, "given-up", json!({})).await, "a call was given up");

    assert_eq!(call(&client, "roots", json!({})).await, "file:///harbour");
    assert_eq!(call(&client, "summarise", json!({ "text": "a long story" })).await, "in short");
    if revision.has_elicitation() {
        assert_eq!(call(&client, "ask-name", json!({})).await, "Welcome aboard, Ashley.");
    }

    // Where there are no tasks it is a plain call.
    let hauled = match within(client.call("haul").as_task().start()).await.unwrap() {
        Started::Task(mut task) => within(task.result()).await.map(|result| (true, result)),
        Started::Complete(result) => Ok((false, result)),
        other => panic!("{other:?}"),
    };
    let (as_task, result) = hauled.unwrap();
    assert_eq!((as_task, result.joined_text().as_str()), (revision >= Revision::V2025_11_25, "hauled in 1"));

    let mut changes = within(client.changes()).await.unwrap();
    call(&client, "tie", json!({})).await;
    assert_eq!(within(changes.next()).await, Some(Change::Tools));
    assert_eq!(within(client.tools().all()).await.unwrap().len(), tools + 1);

    within(client.close()).await.unwrap();
    assert!(client.is_closed());
    assert_eq!(within(client.call("add")).await.unwrap_err().kind(), ErrorKind::Closed);
}

async fn tells_progress_and_logs(client: &Client, events: &mut tokio::sync::mpsc::Receiver<Event>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let countdown = client.call("countdown").arg("from", 3).arg("pauseMs", 0);
    within(countdown.on_progress(move |step| seen.lock().unwrap().push(step.progress))).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [1.0, 2.0, 3.0]);

    // A level holds for the session, or in 2026-07-28 for the one request.
    let echo = client.call("echo").arg("message", "ahoy");
    let echo = if client.server().revision.era() == bowline::protocol::Era::Stateless {
        echo.log_level(LoggingLevel::Info)
    } else {
        within(client.set_level(LoggingLevel::Info)).await.unwrap();
        echo
    };
    within(echo).await.unwrap();
    loop {
        match within(events.recv()).await.expect("the client lives") {
            Event::Log(log) if log.data.to_value() == "echo of 4 bytes" => return,
            Event::Fault(fault) => panic!("{fault}"),
            _ => {}
        }
    }
}

/// The text that a tool gives.
async fn call(client: &Client, tool: &str, arguments: serde_json::Value) -> String {
    let result = within(client.call(tool).args(arguments)).await.unwrap();
    assert!(!result.is_error(), "{tool}: {}", result.joined_text());
    result.joined_text()
}
