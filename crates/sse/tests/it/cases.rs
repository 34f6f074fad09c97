//! Cases and duties of HTTP+SSE.

use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Message};
use bowline_sse::SseConnect;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{
    Connect, Exchange, InboundEvent, Limits, Routing, Sent, Transport, TransportError, TransportErrorKind, WireRequest,
};

pub(crate) async fn ping(transport: &dyn Transport, id: i64) -> Result<Exchange, TransportError> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    transport.request(WireRequest::new(id, frame, Routing::new("ping"))).await
}

pub(crate) async fn failure(mut exchange: Exchange) -> TransportError {
    match exchange.next().await {
        Some(Err(error)) => error,
        other => panic!("an error was due, but this came: {other:?}"),
    }
}

async fn stream(events: &'static str) -> HttpServer {
    HttpServer::start(move |request| async move {
        match request.path.as_str() {
            "/sse" => Reply::events().data(events).hold(),
            path if path.starts_with("/message") => Reply::status(202),
            _ => Reply::status(404).body("no such page"),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn case_sse_006_e_01_nothing_is_posted_before_the_endpoint_is_known() {
    let server = HttpServer::start(|request| async move {
        if request.path != "/sse" {
            return Reply::status(202);
        }
        Reply::events()
            .data(": hello\r\n\r\n")
            .wait(Duration::from_millis(30))
            .data("data: /message?sessionId=123\r\nevent: endpoint\r\n\r\n")
            .hold()
    })
    .await
    .unwrap();
    let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
    assert_eq!(server.requests().len(), 1);
    let _open = ping(&transport, 1).await.unwrap();
    let post = server.wait_for(|request| request.method == "POST").await;
    assert_eq!(post.path, "/message?sessionId=123");
    assert_eq!(post.header("content-type"), "application/json");
}

#[tokio::test]
async fn case_sse_017_e_03_other_events_and_empty_ones_are_no_messages() {
    let server = stream(
        "event: endpoint\ndata: /message\n\nevent: ping\ndata: now\n\ndata:\n\nevent: message\ndata:\n\n: x\n\n\
         data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":2,\"result\":{}}\n\n",
    )
    .await;
    let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
    // Nobody asked, so the one answer among them is reported, and nothing before it.
    let mut inbound = transport.take_inbound().unwrap();
    let fault = format!("{:?}", inbound.next().await);
    assert!(fault.contains("UnknownAnswer") && fault.contains('2'), "{fault}");
}

// Duty: E-02
#[tokio::test]
async fn case_sse_013_messages_are_posted_where_the_reference_leads() {
    for (named, path) in [
        ("/messages?sid=1", "/messages?sid=1"),
        ("messages?sid=1", "/app/messages?sid=1"),
        ("?sid=1", "/app/sse?sid=1"),
        ("//HOST/m", "/m"),
        ("http://HOST/m", "/m"),
    ] {
        let server = HttpServer::start(move |request| async move {
            if request.method == "POST" {
                return Reply::status(202);
            }
            let named = named.replace("HOST", request.header("host"));
            Reply::events().data(format!("event: endpoint\ndata: {named}\n\n")).hold()
        })
        .await
        .unwrap();
        let transport = SseConnect::new(&server.url("/app/sse")).unwrap().connect().await.unwrap();
        let _open = ping(&*transport, 1).await.unwrap();
        assert_eq!(server.wait_for(|request| request.method == "POST").await.path, path, "{named}");
    }
}

#[tokio::test]
async fn case_sse_014_a_post_that_is_refused_fails_its_request_alone() {
    let server = stream("event: endpoint\ndata: /v1/messages/42?s=SECRET\n\n").await;
    let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
    let error = failure(ping(&transport, 1).await.unwrap()).await;
    assert_eq!((error.status(), error.sent()), (Some(404), Sent::No));
    let text = format!("{error}");
    assert!(text.contains("/v1/messages/42") && text.contains("404") && text.contains("no such page"), "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn case_sse_014_a_base_for_messages_puts_the_prefix_back() {
    let server = HttpServer::start(|request| async move {
        match request.path.as_str() {
            "/api/v1/sse" => Reply::events().data("event: endpoint\ndata: /v1/messages/42\n\n").hold(),
            "/api/v1/messages/42" => Reply::status(202),
            _ => Reply::status(404),
        }
    })
    .await
    .unwrap();
    let connect = SseConnect::new(&server.url("/api/v1/sse")).unwrap().message_base(&server.url("/api")).unwrap();
    let transport = connect.connect().await.unwrap();
    let _open = ping(&transport, 1).await.unwrap();
    assert_eq!(server.wait_for(|request| request.method == "POST").await.path, "/api/v1/messages/42");
}

#[tokio::test]
async fn e_04_nothing_is_posted_to_another_origin() {
    let server = stream("event: endpoint\ndata: http://evil.example/messages\n\n").await;
    let error = SseConnect::new(&server.url("/sse")).unwrap().connect().await.err().unwrap();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::No));
    assert!(error.to_string().contains("evil.example"), "{error}");
    assert!(server.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn e_07_the_end_of_the_stream_fails_what_is_open() {
    let server = HttpServer::start(|request| async move {
        if request.path == "/sse" {
            let wait = Duration::from_millis(100);
            Reply::events().data("event: endpoint\ndata: /message\n\n").wait(wait).cut()
        } else {
            Reply::status(202)
        }
    })
    .await
    .unwrap();
    let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
    let error = failure(ping(&transport, 1).await.unwrap()).await;
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert_ne!(error.sent(), Sent::No);
}

#[tokio::test]
async fn e_03_a_last_event_without_its_blank_line_is_heard_where_it_is_whole() {
    for (last, heard) in [
        (r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#, true),
        (r#"{"jsonrpc":"2.0","method":"notifications/tools/li"#, false),
    ] {
        let events = format!("event: endpoint\ndata: /message\n\ndata: {last}");
        let server = HttpServer::start(move |_| {
            let reply = Reply::events().data(events.clone());
            async move { reply }
        });
        let server = server.await.unwrap();
        let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
        let mut inbound = transport.take_inbound().unwrap();
        let mut methods = Vec::new();
        let ended = loop {
            match inbound.next().await {
                Some(InboundEvent::Message(Message::Notification(note))) => methods.push(note.method.to_string()),
                Some(InboundEvent::Closed(error)) => break error,
                other => panic!("{last}: {other:?}"),
            }
        };
        assert_eq!((methods.len(), ended.kind()), (usize::from(heard), TransportErrorKind::Closed), "{last}: {ended}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_a_stream_is_an_error_that_shows_it() {
    let server = HttpServer::start(|_| async {
        Reply::status(200).with("content-type", "text/html").body("<!doctype html><title>Sign in</title>")
    })
    .await
    .unwrap();
    let error = SseConnect::new(&server.url("/sse")).unwrap().connect().await.err().unwrap();
    assert_eq!((error.kind(), error.status(), error.sent()), (TransportErrorKind::Protocol, Some(200), Sent::No));
    assert!(error.to_string().contains("text/html") && error.to_string().contains("Sign in"), "{error}");
}

#[tokio::test]
async fn an_event_that_never_ends_fails_what_is_open_and_is_no_memory() {
    let limits = Limits::default().with_max_frame_bytes(64 << 10);
    let endless = |reply: Reply| (0..64).fold(reply.data("data: "), |reply, _| reply.data(vec![b'x'; 4 << 10])).hold();
    let server = HttpServer::start(move |request| async move {
        match request.path.as_str() {
            "/sse" => {
                endless(Reply::events().data("event: endpoint\ndata: /message\n\n").wait(Duration::from_millis(100)))
            }
            "/at-once" => endless(Reply::events()),
            _ => Reply::status(202),
        }
    })
    .await
    .unwrap();
    let transport = SseConnect::new(&server.url("/sse")).unwrap().limits(limits).connect().await.unwrap();
    let error = failure(ping(&transport, 1).await.unwrap()).await;
    assert_eq!(error.kind(), TransportErrorKind::TooLarge, "{error}");
    assert_ne!(error.sent(), Sent::No);
    assert!(error.to_string().contains("65536 bytes"), "{error}");

    let error = SseConnect::new(&server.url("/at-once")).unwrap().limits(limits).connect().await.err().unwrap();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::TooLarge, Sent::No), "{error}");
}

#[tokio::test]
async fn a_server_that_never_names_an_endpoint_is_given_up() {
    let server = stream(": nothing\n\n").await;
    let connect = SseConnect::new(&server.url("/sse")).unwrap().endpoint_within(Duration::from_millis(50));
    let error = connect.connect().await.err().unwrap();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Timeout, Sent::No), "{error}");
}

#[tokio::test]
async fn answers_come_on_the_stream() {
    let server =
        bowline_testkit::http::MockHttp::new(bowline_testkit::MockServer::builder().build()).start().await.unwrap();
    let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
    let mut exchange = ping(&transport, 7).await.unwrap();
    assert!(matches!(exchange.next().await, Some(Ok(Message::Response(_)))));
    transport.close().await.unwrap();
}

#[tokio::test]
async fn case_http_014_an_error_of_the_protocol_in_the_answer_to_a_post_is_the_answer() {
    for (status, body) in [
        (400, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32099,"message":"topic missing"}}"#),
        (429, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32099,"message":"topic missing"}}"#),
        (200, r#"{"jsonrpc":"2.0","id":"1","error":{"code":-32099,"message":"topic missing"}}"#),
    ] {
        let server = HttpServer::start(move |request| async move {
            if request.path == "/sse" {
                return Reply::events().data("event: endpoint\ndata: /message\n\n").hold();
            }
            Reply::status(status).with("content-type", "application/json").with("retry-after", "7").body(body)
        })
        .await
        .unwrap();
        let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
        let mut exchange = ping(&transport, 1).await.unwrap();
        let Some(Ok(Message::Response(response))) = exchange.next().await else { panic!("an answer was due") };
        assert_eq!(response.outcome.unwrap_err().message, "topic missing", "{status}");
        assert_eq!(exchange.status(), Some(status));
        assert_eq!(exchange.retry_after(), (status == 429).then_some(Duration::from_secs(7)));
        drop(exchange);
        transport.close().await.unwrap();
        let posts = server.requests().into_iter().filter(|request| request.method == "POST").count();
        assert_eq!(posts, 1, "what is answered is not cancelled");
    }
}

#[tokio::test]
async fn case_http_025_a_post_that_comes_too_often_says_when_to_try_again() {
    for (status, wait) in [(429, Some(7)), (503, Some(7)), (500, None)] {
        let server = HttpServer::start(move |request| async move {
            if request.path == "/sse" {
                return Reply::events().data("event: endpoint\ndata: /message\n\n").hold();
            }
            Reply::status(status).with("retry-after", "7").body("slow down")
        })
        .await
        .unwrap();
        let transport = SseConnect::new(&server.url("/sse")).unwrap().connect().await.unwrap();
        let error = failure(ping(&transport, 1).await.unwrap()).await;
        assert_eq!((error.status(), error.retry_after()), (Some(status), wait.map(Duration::from_secs)));
        let next = if wait.is_some() { "try again in 7 s" } else { "try again later" };
        assert!(error.to_string().contains("slow down") && error.to_string().ends_with(next), "{error}");
    }
}
