//! Cases of HTTP that need the whole client.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline::{Client, ErrorKind, Event, Target, TargetOptions};
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::json;

use crate::support::{soon, within};

fn begin(request: &HttpRequest, session: &str) -> Reply {
    let result = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "tools": {} },
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
        assert!(error.to_string().contains("topic missing"), "{error}");
        within(client.close()).await.unwrap();
    }
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
