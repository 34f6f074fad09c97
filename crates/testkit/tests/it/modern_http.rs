//! What the mock server does in 2026-07-28, over HTTP.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

use std::time::Duration;

use bowline_protocol::{CallToolResult, Revision, Tool};
use bowline_testkit::http::{HttpMode, HttpServer, MockHttp};
use bowline_testkit::{Misbehaviour, MockServer, When};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Far more than any answer takes; a test that hangs ends.
const DEADLINE: Duration = Duration::from_secs(30);

fn tool(name: &str) -> Tool {
    Tool::new(name, json!({ "type": "object", "properties": { "text": { "type": "string", "x-mcp-header": "Text" } } }))
}

fn server() -> bowline_testkit::MockServerBuilder {
    MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .tool(tool("echo"), |call| async move { Ok(CallToolResult::text(call.argument::<String>("text")?)) })
        .tool(tool("sample"), |call| async move {
            Ok(CallToolResult::text(call.sample(bowline_protocol::CreateMessageRequestParams::new([])).await?.model))
        })
        .tool(tool("count"), |call| async move {
            call.progress(1.0, None, None).await;
            Ok(CallToolResult::text("counted"))
        })
}

async fn start(mode: HttpMode, server: MockServer) -> HttpServer {
    MockHttp::new(server).mode(mode).start().await.unwrap()
}

/// A request with these headers, as it goes over the wire.
fn written(server: &HttpServer, verb: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut head = format!("{verb} /mcp HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if headers.iter().all(|(name, _)| *name != "host") {
        head += &format!("host: {}\r\n", server.address());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    format!("{head}\r\n{body}")
}

/// The status, the head and the body of the answer to a request.
async fn exchange(server: &HttpServer, verb: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(written(server, verb, headers, body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

fn message(id: i64, method: &str, mut params: Value) -> String {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn headers<'a>(method: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    if !name.is_empty() {
        headers.push(("mcp-name", name));
    }
    headers
}

/// The status and the message of a good request.
async fn post(server: &HttpServer, method: &str, name: &str, params: Value) -> (u16, Value) {
    let (status, _, body) = exchange(server, "POST", &headers(method, name), &message(1, method, params)).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

#[tokio::test]
async fn a_request_is_a_post_and_nothing_else_is_needed() {
    let server = start(HttpMode::Json, server().build()).await;
    let (status, answer) = post(&server, "server/discover", "", json!({})).await;
    assert_eq!((status, &answer["result"]["resultType"]), (200, &json!("complete")));
    let (status, head, body) =
        exchange(&server, "POST", &headers("tools/list", ""), &message(1, "tools/list", json!({}))).await;
    assert_eq!(status, 200);
    assert!(body.contains("\"tools\"") && !head.contains("mcp-session-id"), "{head}");
    let mut call = headers("tools/call", "echo");
    call.push(("mcp-param-text", "ahoy"));
    let body = message(1, "tools/call", json!({ "name": "echo", "arguments": { "text": "ahoy" } }));
    let (status, _, answer) = exchange(&server, "POST", &call, &body).await;
    assert!(status == 200 && answer.contains("\"ahoy\""), "{answer}");
    assert_eq!(exchange(&server, "POST", &call[..3], &body).await.0, 400, "without the argument's header");
}

#[tokio::test]
async fn errors_have_the_status_that_the_specification_names() {
    let server = start(HttpMode::Stream, server().build()).await;
    let (status, answer) = post(&server, "ping", "", json!({})).await;
    assert_eq!((status, &answer["error"]["code"], &answer["id"]), (404, &json!(-32601), &json!(1)));
    let (status, answer) = post(&server, "tools/call", "sample", json!({ "name": "sample" })).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32021)));
    let bare = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" }).to_string();
    for (headers, body, code) in [
        (headers("tools/list", ""), bare.clone(), -32602),
        (headers("tools/call", ""), message(3, "tools/list", json!({})), -32020),
        (headers("tools/list", "")[1..].to_vec(), message(3, "tools/list", json!({})), -32020),
        (
            vec![("mcp-protocol-version", "v9"), ("mcp-method", "tools/list")],
            message(3, "tools/list", json!({})).replace("2026-07-28", "v9"),
            -32022,
        ),
    ] {
        let (status, _, answer) = exchange(&server, "POST", &headers, &body).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["error"]["code"], &answer["id"]), (400, &json!(code), &json!(3)), "{body}");
    }
    for body in ["nonsense", "[]", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
        let (status, _, answer) = exchange(&server, "POST", &headers("tools/list", ""), body).await;
        assert!(status == 400 && answer.contains("\"error\""), "{body}: {answer}");
    }
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {} }).to_string();
    assert_eq!(exchange(&server, "POST", &headers("notifications/cancelled", ""), &note).await.0, 202);
}

#[tokio::test]
async fn what_comes_before_an_answer_makes_a_stream_of_it() {
    for (mode, name) in [(HttpMode::Json, "count"), (HttpMode::Stream, "count"), (HttpMode::Stream, "echo")] {
        let server = start(mode, server().build()).await;
        let mut call = headers("tools/call", name);
        call.push(("mcp-param-text", "x"));
        let params = json!({ "name": name, "arguments": { "text": "x" }, "_meta": { "progressToken": 1 } });
        let (status, head, body) = exchange(&server, "POST", &call, &message(7, "tools/call", params)).await;
        assert_eq!(status, 200);
        assert!(head.contains("text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
        assert_eq!(body.contains("notifications/progress"), name == "count");
        assert!(body.contains("\"id\":7") && !body.contains("id: "), "{body}");
    }
}

#[tokio::test]
async fn a_closed_stream_cancels_its_request() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let mock = server()
        .tool(Tool::new("wait", json!({ "type": "object" })), move |call| {
            let told = told.clone();
            async move {
                call.progress(1.0, None, None).await;
                call.cancelled().await;
                let _ = told.send(()).await;
                Ok(CallToolResult::text("late"))
            }
        })
        .build();
    for (mode, meta) in [(HttpMode::Json, json!({})), (HttpMode::Stream, json!({ "progressToken": 1 }))] {
        let server = start(mode, mock.clone()).await;
        let body = message(1, "tools/call", json!({ "name": "wait", "_meta": meta }));
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(written(&server, "POST", &headers("tools/call", "wait"), &body).as_bytes()).await.unwrap();
        server.wait_for(|_| true).await;
        drop(stream);
        tokio::time::timeout(DEADLINE, heard.recv()).await.unwrap().unwrap();
        tokio::time::timeout(DEADLINE, mock.journal().wait_ended()).await.unwrap();
    }
}

#[tokio::test]
async fn a_subscription_is_a_stream_until_either_side_ends_it() {
    let mock = server().build();
    let server = start(HttpMode::Json, mock.clone()).await;
    let body = message(5, "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let open = async || {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let request = written(&server, "POST", &headers("subscriptions/listen", ""), &body);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    /// The next event's data; none at the end.
    async fn event(stream: &mut BufReader<TcpStream>) -> Option<Value> {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(DEADLINE, stream.read_line(&mut line)).await.unwrap().unwrap();
            if read == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
    let mut stream = open().await;
    assert_eq!(event(&mut stream).await.unwrap()["method"], "notifications/subscriptions/acknowledged");
    mock.add_tool(tool("more"), |_| async { Ok(CallToolResult::text("")) }).await;
    let change = event(&mut stream).await.unwrap();
    assert_eq!(change["method"], "notifications/tools/list_changed");
    assert_eq!(change["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 5);
    mock.end_subscriptions();
    assert_eq!(event(&mut stream).await.unwrap()["result"]["resultType"], "complete");
    assert_eq!(event(&mut stream).await, None);
    // The client closes one, the server cuts another.
    let mut closed = open().await;
    event(&mut closed).await.unwrap();
    drop(closed);
    tokio::time::timeout(DEADLINE, mock.journal().wait_ended()).await.unwrap();
    let mut cut = open().await;
    event(&mut cut).await.unwrap();
    mock.disconnect();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, cut.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it is cut in the middle");
}

#[tokio::test]
async fn both_eras_are_served_at_one_url_unless_one_is_left_out() {
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } } });
    let dual = start(HttpMode::Json, server().build()).await;
    let (status, head, _) = exchange(&dual, "POST", &[], &initialize.to_string()).await;
    assert!(status == 200 && head.contains("mcp-session-id"), "{head}");
    assert_eq!(post(&dual, "tools/list", "", json!({})).await.0, 200);

    let modern = start(HttpMode::Json, server().revisions([Revision::V2026_07_28]).build()).await;
    let (status, _, body) = exchange(&modern, "POST", &[], &initialize.to_string()).await;
    assert_eq!(status, 400);
    assert!(body.contains("-32020") && body.contains("2026-07-28"), "{body}");
    for verb in ["GET", "DELETE"] {
        assert_eq!(exchange(&modern, verb, &[], "").await.0, 405, "{verb}");
    }
    let legacy = start(HttpMode::Json, server().revisions([Revision::V2025_11_25]).build()).await;
    let answer = exchange(&legacy, "POST", &headers("tools/list", ""), &message(1, "tools/list", json!({}))).await;
    assert_eq!((answer.0, answer.2.contains("jsonrpc")), (400, false));
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let server = start(HttpMode::Json, server().build()).await;
    let body = message(1, "server/discover", json!({}));
    for (name, value, status) in [
        ("host", "evil.example.com", 403),
        ("origin", "http://evil.example.com", 403),
        ("origin", "http://localhost:3000", 200),
        ("host", "[::1]:80", 200),
    ] {
        let mut headers = headers("server/discover", "");
        headers.push((name, value));
        assert_eq!(exchange(&server, "POST", &headers, &body).await.0, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn misbehaviour_reaches_requests_that_have_their_own_stream() {
    let mock = server()
        .misbehave(When::method("server/discover").nth(1), Misbehaviour::unsupported(["2026-07-28"]))
        .misbehave(When::method("server/discover").nth(2), Misbehaviour::header_mismatch())
        .misbehave(When::method("server/discover").nth(3), Misbehaviour::ExitBefore(1))
        .build();
    let server = start(HttpMode::Json, mock).await;
    for code in [-32022, -32020] {
        let (status, answer) = post(&server, "server/discover", "", json!({})).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)));
    }
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = written(&server, "POST", &headers("server/discover", ""), &message(1, "server/discover", json!({})));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    assert_eq!(post(&server, "server/discover", "", json!({})).await.0, 200);
}

#[tokio::test]
async fn a_session_of_2025_11_25_may_be_told_to_come_back_for_the_answer() {
    let front = MockHttp::new(server().build()).polling(Duration::from_millis(7)).hang_up_on("count");
    let server = front.start().await.unwrap();
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } } });
    let (_, head, _) = exchange(&server, "POST", &[], &initialize.to_string()).await;
    let id = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "count" } });
    let (status, _, body) = exchange(&server, "POST", &[("mcp-session-id", id)], &call.to_string()).await;
    let event = body.split("id: ").nth(1).unwrap();
    let (place, rest) = event.split_once('\n').unwrap();
    assert_eq!((status, rest.starts_with("retry: 7\ndata: \n\n")), (200, true), "{body}");
    assert!(!body.contains("counted"));
    let back = [("mcp-session-id", id), ("last-event-id", place)];
    assert!(exchange(&server, "GET", &back, "").await.2.contains("counted"));
}
