//! Cases of HTTP that need the whole client.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline::{Client, ErrorKind, Event, Target, TargetOptions, Timeouts};
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{soon, within};

fn begin(request: &HttpRequest, session: &str) -> Reply {
    let result = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "tools": { "listChanged": true } },
        "serverInfo": { "name": "s", "version": "1" },
    });
    Reply::result(request, result).with("mcp-session-id", session)
}

/// Answers what is dull, and a call by `call`.
async fn server(call: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static) -> HttpServer {
    let (call, sessions) = (Arc::new(call), Arc::new(AtomicU32::new(0)));
    HttpServer::start(move |request| {
        let (call, sessions) = (Arc::clone(&call), Arc::clone(&sessions));
        async move {
            match (request.method.as_str(), request.rpc_method().as_str()) {
                ("POST", "initialize") => begin(&request, &format!("s{}", sessions.fetch_add(1, Ordering::SeqCst) + 1)),
                ("POST", "tools/call") => call(&request),
                ("POST", _) => Reply::status(202),
                _ => Reply::status(405),
            }
        }
    })
    .await
    .unwrap()
}

async fn connect(server: &HttpServer) -> Client {
    within(Client::builder().connect(Target::parse(&server.url("/mcp")).unwrap())).await.unwrap()
}

#[tokio::test]
async fn case_http_001_a_forgotten_session_is_begun_anew_and_the_call_sent_once_more() {
    let server = server(|request| match request.header("mcp-session-id") {
        "s1" => Reply::status(404),
        _ => Reply::result(request, json!({ "content": [{ "type": "text", "text": "fine" }] })),
    })
    .await;
    let client = connect(&server).await;
    let mut events = client.events();
    let before = server.requests().len();
    assert_eq!(within(client.call("t")).await.unwrap().joined_text(), "fine");
    while !matches!(within(events.next()).await.unwrap(), Event::Reconnected) {}
    let posts: Vec<_> = server.requests().split_off(before).into_iter().filter(|r| r.method == "POST").collect();
    let seen: Vec<_> = posts.iter().map(|r| (r.rpc_method(), r.header("mcp-session-id").to_owned())).collect();
    let wanted = [("tools/call", "s1"), ("initialize", ""), ("notifications/initialized", "s2"), ("tools/call", "s2")];
    assert_eq!(seen, wanted.map(|(method, session)| (method.to_owned(), session.to_owned())));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_http_014_the_error_of_the_protocol_reaches_the_caller_whatever_the_status() {
    for status in [200, 400, 500] {
        let server = server(move |request| {
            let error = json!({ "code": -32099, "message": "topic missing" });
            let body = json!({ "jsonrpc": "2.0", "id": request.json()["id"], "error": error });
            Reply::json(body).code(status)
        })
        .await;
        let client = connect(&server).await;
        let error = within(client.call("t")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{status}: {error}");
        assert_eq!(error.server_error().unwrap().code.0, -32099);
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains("topic missing"), "{error}");
        within(client.close()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn case_http_017_a_limit_on_silence_cuts_no_stream_that_speaks() {
    const CHANGED: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
    let millis = Duration::from_millis;
    let server = HttpServer::start(move |request| async move {
        match (request.method.as_str(), request.rpc_method().as_str()) {
            ("GET", _) => Reply::events().wait(millis(200)).data(CHANGED).wait(millis(2800)).data(CHANGED).hold(),
            ("POST", "initialize") => begin(&request, "s1"),
            ("POST", "tools/call") => {
                let (id, token) = (&request.json()["id"], &request.json()["params"]["_meta"]["progressToken"]);
                let event = |message: Value| format!("data: {message}\n\n");
                let progress = |done| {
                    let params = json!({ "progressToken": token, "progress": done });
                    event(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }))
                };
                let reply = (1..5).fold(Reply::events(), |reply, done| reply.wait(millis(500)).data(progress(done)));
                let answer = event(json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } }));
                reply.wait(millis(500)).data(answer)
            }
            ("POST", _) => Reply::status(202),
            _ => Reply::status(200),
        }
    })
    .await
    .unwrap();
    let timeouts = Timeouts::default().with_idle(Duration::from_secs(1));
    let client = Client::builder().timeouts(timeouts).connect(Target::parse(&server.url("/mcp")).unwrap());
    let client = within(client).await.unwrap();
    let mut events = client.events();
    let (sender, mut progress) = mpsc::channel(8);
    let call = client.call("t").on_progress(move |step| sender.try_send(step.progress).unwrap());
    assert!(within(call).await.is_ok(), "each piece of progress gives it more time");
    let mut seen = Vec::new();
    while let Some(step) = progress.recv().await {
        seen.push(step);
    }
    assert_eq!(seen, [1.0, 2.0, 3.0, 4.0]);
    for _ in 0..2 {
        let event = within(events.next()).await.unwrap();
        assert!(matches!(event, Event::ToolsChanged), "no reconnect, nothing odd: {event:?}");
    }
    assert_eq!(server.requests().iter().filter(|request| request.method == "GET").count(), 1);
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_http_026_a_call_that_may_have_run_is_not_sent_again() {
    for reply in [|| Reply::status(503), Reply::closed] {
        let server = server(move |_| reply()).await;
        let client = connect(&server).await;
        within(client.call("t")).await.unwrap_err();
        let calls = server.requests().iter().filter(|request| request.rpc_method() == "tools/call").count();
        assert_eq!(calls, 1);
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn case_http_028_checks_are_switched_off_for_this_machine_only_whatever_the_transport() {
    let options = TargetOptions::default().with_accept_invalid_certs(true);
    for url in ["https://host.invalid/mcp", "wss://host.invalid/mcp"] {
        let target = Target::parse_with(url, &options).unwrap();
        let error = soon(Client::builder().connect(target)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("this machine's own addresses only"), "{error}");
    }
}

#[tokio::test]
async fn case_http_030_broken_json_fails_its_call_and_no_other() {
    let server = server(|request| match request.json()["params"]["name"].as_str() {
        Some("bad") => Reply::json(r#"{"jsonrpc":"2.0","id":2,"resu"#),
        _ => Reply::result(request, json!({ "content": [] })),
    })
    .await;
    let client = connect(&server).await;
    let (bad, one, two) = within(async {
        tokio::join!(client.call("bad").into_future(), client.call("a").into_future(), client.call("b").into_future())
    })
    .await;
    let error = bad.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("resu"), "{error}");
    assert!(one.is_ok() && two.is_ok());
    assert!(within(client.call("c")).await.is_ok(), "the session is as good as before");
    within(client.close()).await.unwrap();
}
