//! Servers by name: every transport through the facade, the fall back, and what a restart does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::auth::{SourcedBearer, TokenFn};
use bowline::config::{Configuration, Host, Resolver, Surroundings, System};
use bowline::protocol::{CallToolResult, Tool};
use bowline::transport::Connect;
use bowline::{Client, ErrorKind, Event, Target, TargetOptions, TransportChoice};
use bowline_testkit::MockServer;
use bowline_testkit::http::{HttpMode, HttpServer, MockHttp, Reply};
use bowline_testkit::socket::MockSocket;
use bowline_testkit::websocket::MockWebSocket;
use serde_json::json;
use tokio::net::TcpListener;

fn server() -> MockServer {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    MockServer::builder()
        .tool(Tool::new("echo", schema), |call: bowline_testkit::ToolCall| async move {
            call.progress(1.0, Some(2.0), None).await;
            Ok(CallToolResult::text(call.argument::<String>("text")?))
        })
        .build()
}

async fn echo(client: &Client, text: &str) -> Result<String, bowline::Error> {
    client.call("echo").arg("text", text).await.map(|result| result.joined_text())
}

async fn tour(target: impl Connect) {
    let client = Client::builder().connect(target).await.unwrap();
    assert_eq!(client.tools().all().await.unwrap().len(), 1);
    assert_eq!(echo(&client, "naïve — 🐙").await.unwrap(), "naïve — 🐙");
    client.ping().await.unwrap();
    client.close().await.unwrap();
}

async fn http(mode: HttpMode) -> HttpServer {
    MockHttp::new(server()).mode(mode).start().await.unwrap()
}

#[tokio::test]
async fn streamable_http_is_reached_by_its_url_in_both_modes() {
    for mode in [HttpMode::Json, HttpMode::Stream] {
        let server = http(mode).await;
        tour(Target::parse(&server.url("/mcp")).unwrap()).await;
    }
}

#[tokio::test]
async fn e_05_a_server_of_2024_is_found_behind_its_url_and_remembered() {
    let server = http(HttpMode::Json).await;
    let target = Target::parse(&server.url("/sse")).unwrap();
    for _ in 0..2 {
        let transport = target.connect().await.unwrap();
        transport.close().await.unwrap();
    }
    let posts = || server.requests().iter().filter(|r| r.method == "POST" && r.path == "/sse").count();
    assert_eq!(posts(), 0, "nothing is asked before the handshake");
    let client = Client::builder().connect(target).await.unwrap();
    assert_eq!(echo(&client, "old").await.unwrap(), "old");
    assert_eq!(posts(), 2, "the question of each era is tried once at the newer transport");
    client.close().await.unwrap();
}

#[tokio::test]
async fn each_choice_of_transport_is_kept_to() {
    let server = http(HttpMode::Json).await;
    for (choice, path) in [
        (TransportChoice::Http, "/mcp"),
        (TransportChoice::Sse, "/sse"),
        (TransportChoice::SseFirst, "/sse"),
        (TransportChoice::SseFirst, "/mcp"),
        (TransportChoice::HttpFirst, "/sse"),
    ] {
        let options = TargetOptions::default().with_transport(choice);
        tour(Target::parse_with(&server.url(path), &options).unwrap()).await;
    }
    let http_alone = TargetOptions::default().with_transport(TransportChoice::Http);
    let target = Target::parse_with(&server.url("/sse"), &http_alone).unwrap();
    let error = Client::builder().connect(target).await.unwrap_err();
    assert!(matches!(error.status(), Some(400 | 404 | 405)), "{error}");
}

/// A server that a configuration names by its address alone.
fn configured(url: &str) -> Target {
    let text = json!({ "mcpServers": { "s": { "url": url } } }).to_string();
    let config = Configuration::read(Host::Generic, "mcp.json", &text);
    let resolver = Resolver::new(Surroundings::new(System::current()));
    Target::configured(&config.server("s").unwrap().resolve(&resolver).unwrap()).unwrap()
}

#[tokio::test]
async fn case_config_004() {
    let answers = http(HttpMode::Json).await;
    tour(configured(&answers.url("/sse"))).await;
    let answers = http(HttpMode::Json).await;
    tour(configured(&answers.url("/mcp"))).await;
    let gets = answers.requests().iter().filter(|request| request.method == "GET" && request.path != "/mcp").count();
    assert_eq!(gets, 0, "no event stream of the old transport is asked for");
    // Whichever way an old server refuses, what it says of itself is what it is spoken to by.
    for refusal in [400, 404, 405] {
        let server = HttpServer::start(move |request| async move {
            match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/sse") => Reply::events().data("event: endpoint\ndata: /messages\n\n").hold(),
                ("POST", "/messages") => Reply::status(202),
                _ => Reply::status(refusal),
            }
        })
        .await
        .unwrap();
        let connecting = Client::builder().connect(configured(&server.url("/sse")));
        tokio::select! {
            ended = connecting => panic!("{refusal}: nobody answered, and yet: {:?}", ended.map(|_| ())),
            sent = server.wait_for(|request| request.path == "/messages") => assert_eq!(sent.method, "POST"),
        }
    }
}

#[tokio::test]
async fn e_04_what_an_old_server_says_of_its_stream_is_the_error_where_it_is_of_that_kind() {
    for (stream, wanted) in [
        (
            "event: endpoint\ndata: http://evil.example/messages\n\n",
            "http://evil.example/messages, which is no address",
        ),
        // The newer transport has such streams as well.
        (": nothing\n\n", "405"),
    ] {
        let server = HttpServer::start(move |request| async move {
            if request.method == "GET" { Reply::events().data(stream) } else { Reply::status(405) }
        });
        let server = server.await.unwrap();
        let error = Client::builder().connect(Target::parse(&server.url("/mcp")).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    // Credentials that are wanted for the stream alone are what is missing.
    let server =
        HttpServer::start(move |request| async move { Reply::status(if request.method == "GET" { 401 } else { 405 }) });
    let server = server.await.unwrap();
    let error = Client::builder().connect(Target::parse(&server.url("/mcp")).unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Some(401)), "{error}");
    // A gateway that lets no such request through says nothing of the server behind it.
    let server = HttpServer::start(move |request| async move {
        match request.method.as_str() {
            "GET" => Reply::status(403),
            _ => Reply::status(400).body("missing tenant header"),
        }
    });
    let server = server.await.unwrap();
    let error = Client::builder().connect(Target::parse(&server.url("/mcp")).unwrap()).await.unwrap_err();
    assert_eq!(error.status(), Some(400), "{error}");
    assert!(error.to_string().contains("missing tenant header"), "{error}");
}

#[tokio::test]
async fn nobody_at_an_address_is_an_error_that_says_so() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for target in [format!("http://{unused}/mcp"), format!("ws://{unused}/"), format!("tcp:{unused}")] {
        let error = Client::builder().connect(Target::parse(&target).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{target}: {error:?}");
    }
}

#[tokio::test]
async fn e_06_an_error_of_the_newer_era_is_no_sign_of_the_old_transport() {
    for status in [400, 404] {
        let server = HttpServer::start(move |request| async move {
            let data = json!({ "supported": ["2031-01-01"], "requested": "2026-07-28" });
            let error = json!({ "code": -32022, "message": "no", "data": data });
            Reply::json(json!({ "jsonrpc": "2.0", "id": request.json()["id"], "error": error })).code(status)
        })
        .await
        .unwrap();
        let target = Target::parse(&server.url("/mcp")).unwrap();
        let error = Client::builder().connect(target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
        assert!(server.requests().iter().all(|request| request.method == "POST"), "no event stream is asked for");
    }
}

// Duty: S-11
#[tokio::test]
async fn sockets_are_reached_by_their_names() {
    let listening = [
        MockSocket::new(server()).tcp().unwrap(),
        #[cfg(unix)]
        MockSocket::new(server()).unix().unwrap(),
        #[cfg(target_os = "linux")]
        MockSocket::new(server()).unix_abstract().unwrap(),
    ];
    for socket in listening {
        tour(Target::parse(socket.target()).unwrap()).await;
    }
}

#[tokio::test]
async fn a_websocket_is_reached_by_its_url() {
    let listening = MockWebSocket::new(server()).start().unwrap();
    tour(Target::parse(&listening.url("/mcp")).unwrap()).await;
    assert_eq!(listening.requests().len(), 1);
}

#[tokio::test]
async fn a_websocket_upgrade_that_is_refused_is_tried_with_the_next_token() {
    let listening = MockWebSocket::new(server()).bearer_token("new").start().unwrap();
    let tokens = Arc::new(Mutex::new(vec!["new", "old"]));
    let source = TokenFn::new(move || {
        let next = tokens.lock().unwrap().pop().unwrap_or("new");
        async move { Ok(next.into()) }
    });
    let options = TargetOptions::default().with_authorize(Arc::new(SourcedBearer::new(source)));
    tour(Target::parse_with(&listening.url("/mcp"), &options).unwrap()).await;
    let seen: Vec<_> = listening.requests().iter().map(|request| request.header("authorization").to_owned()).collect();
    assert_eq!(seen, ["Bearer old", "Bearer new"]);

    // Where there is no other one the refusal is told.
    let options = TargetOptions::default();
    let stale = TokenFn::new(|| async { Ok("old".into()) });
    let options = options.with_authorize(Arc::new(SourcedBearer::new(stale)));
    let target = Target::parse_with(&listening.url("/mcp"), &options).unwrap();
    let error = Client::builder().connect(target).await.unwrap_err();
    assert_eq!(error.status(), Some(401), "{error}");
    assert_eq!(listening.requests().len(), 3);
}

/// A listener on an address that was in use a moment ago.
async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test]
async fn h_34_a_server_that_was_restarted_between_two_calls_strands_nobody() {
    for mode in [HttpMode::Json, HttpMode::Stream] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let first = MockHttp::new(server()).mode(mode).on(listener).unwrap();
        let client = Client::builder().connect(Target::parse(&first.url("/mcp")).unwrap()).await.unwrap();
        let mut events = client.events();
        assert_eq!(echo(&client, "before").await.unwrap(), "before");
        drop(first);
        let second = MockHttp::new(server()).mode(mode).on(listen_again(address).await).unwrap();
        assert_eq!(echo(&client, "after").await.unwrap(), "after");
        while !matches!(events.next().await.unwrap(), Event::Reconnected) {}
        let handshakes = second.requests().iter().filter(|r| r.rpc_method() == "initialize").count();
        assert_eq!(handshakes, 1, "one fresh session");
        client.close().await.unwrap();
    }
}
