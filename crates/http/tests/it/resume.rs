//! Streams of answers that break.

use std::time::{Duration, Instant};

use bowline_http::HttpConnect;
use bowline_protocol::frame::Message;
use bowline_testkit::contract;
use bowline_testkit::http::{HttpMode, HttpServer, MockHttp, Reply};
use bowline_transport::{Fault, InboundEvent, Sent, TransportErrorKind};

use crate::peer::{answering, call, dull, open, request, result};

#[tokio::test]
async fn case_sse_008_h_27_h_28_a_stream_that_was_primed_is_polled_for() {
    let server = HttpServer::start(|request| async move {
        match (request.method.as_str(), request.header("last-event-id")) {
            ("GET", "e1") => Reply::events().data("id: e2\nretry: 200\ndata:\n\n"),
            ("GET", "e2") => Reply::events().data("id: e3\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n\n"),
            ("POST", _) if request.rpc_method() == "tools/call" => {
                Reply::events().data("id: e1\ndata:\n\n").data("retry: 200\n\n")
            }
            _ => dull(&request).unwrap(),
        }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    let began = Instant::now();
    assert_eq!(result(call(&*transport, 3).await.unwrap()), "{}");
    assert!(began.elapsed() >= Duration::from_millis(400), "the server asked for twice 200 ms");
}

#[tokio::test]
async fn h_27_h_29_every_cut_stream_is_resumed_by_its_own_id() {
    let server = MockHttp::new(contract::server()).mode(HttpMode::Stream).cut_streams_after(1).start().await.unwrap();
    let transport = open(&server).await;
    let count = |id: i64, token: i64| {
        let params =
            serde_json::json!({ "name": "count", "arguments": { "steps": 3 }, "_meta": { "progressToken": token } });
        let id = bowline_protocol::RequestId::from(id);
        let frame = bowline_protocol::frame::encode_request(&id, "tools/call", Some(&params.into()), None, None);
        transport.request(bowline_transport::WireRequest::new(id, frame, bowline_transport::Routing::new("tools/call")))
    };
    for exchange in [count(10, 100).await.unwrap(), count(11, 101).await.unwrap()] {
        let mut exchange = exchange;
        let mut kinds = Vec::new();
        while let Some(message) = exchange.next().await {
            kinds.push(match message.unwrap() {
                Message::Notification(note) => note.params.unwrap().to_value()["progress"].clone(),
                _ => "answer".into(),
            });
        }
        assert_eq!(kinds, [1.into(), 2.into(), 3.into(), serde_json::Value::from("answer")]);
    }
}

#[tokio::test]
async fn h_28_a_wait_beyond_all_patience_is_told_and_not_waited_for() {
    let server = answering(|_| Reply::events().data("retry: 99999999999999999999\nid: e1\ndata:\n\n")).await;
    let error = call(&*open(&server).await, 2).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Yes));
    assert!(error.to_string().contains("wants to be left alone for 18446744073709551 s"), "{error}");
}

#[tokio::test]
async fn a_stream_without_ids_is_lost_when_it_breaks() {
    for cut in [true, false] {
        let server = answering(move |_| {
            let reply = Reply::events().data("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n");
            if cut { reply.cut() } else { reply }
        })
        .await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Yes));
    }
}

#[tokio::test]
async fn case_sse_002_an_event_without_its_end_comes_once_where_the_stream_is_resumed() {
    const ASKS: &str = r#"data: {"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":{}}"#;
    let server = HttpServer::start(|request| async move {
        match (request.method.as_str(), request.header("last-event-id")) {
            ("GET", "e1") => Reply::events()
                .data(format!("id: e2\n{ASKS}\n\n"))
                .data("id: e3\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n"),
            ("POST", _) if request.rpc_method() == "tools/call" => {
                Reply::events().data(format!("id: e1\nretry: 1\ndata:\n\nid: e2\n{ASKS}\n"))
            }
            _ => dull(&request).unwrap(),
        }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    let mut inbound = transport.take_inbound().unwrap();
    let mut exchange = transport.request(request(2, "tools/call")).await.unwrap();
    let mut came = Vec::new();
    while let Some(message) = exchange.next().await {
        came.push(match message.unwrap() {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => result(response),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(came, ["elicitation/create", "{}"]);
    // The answer is taken as it is, and is all that is told.
    assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(Fault::EventWithoutEnd))));
    assert_eq!(server.requests().iter().filter(|request| !request.header("last-event-id").is_empty()).count(), 1);
    drop(transport);
    while let Some(event) = inbound.next().await {
        assert!(!matches!(event, InboundEvent::Fault(_)), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_cannot_be_resumed_fails_in_the_end() {
    for status in [400, 405, 503] {
        let server = HttpServer::start(move |request| async move {
            match (request.method.as_str(), request.header("last-event-id")) {
                ("GET", "e1") => Reply::status(status),
                ("POST", _) if request.rpc_method() == "tools/call" => Reply::events().data("id: e1\ndata:\n\n").cut(),
                _ => dull(&request).unwrap(),
            }
        })
        .await
        .unwrap();
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.status(), error.sent()), (Some(status), Sent::Yes));
    }
}

#[tokio::test]
async fn slow_bodies_come_in_the_end() {
    for mode in [HttpMode::Json, HttpMode::Stream] {
        let server =
            MockHttp::new(contract::server()).mode(mode).slow(7, Duration::from_millis(1)).start().await.unwrap();
        let transport = crate::peer::open_with(&HttpConnect::new(&server.url("/mcp")).unwrap()).await;
        assert!(call(&*transport, 2).await.is_ok());
    }
}

#[tokio::test]
async fn se_11_what_a_resumed_stream_brings_is_checked_like_anything_else() {
    let server = HttpServer::start(|request| async move {
        match (request.method.as_str(), request.header("last-event-id")) {
            ("GET", "3") => Reply::events()
                .data("id: e2\ndata: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"forged\":1}}\n\n")
                .data("id: e3\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"forged\":2}}\n\n")
                .data("id: e4\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"own\":1}}\n\n"),
            ("GET", "4") => Reply::events().data("id: e5\ndata: no message\n\n"),
            ("POST", _) if request.rpc_method() == "tools/call" => {
                Reply::events().data(format!("id: {}\nretry: 1\ndata:\n\n", request.json()["id"]))
            }
            _ => dull(&request).unwrap(),
        }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    assert_eq!(result(call(&*transport, 3).await.unwrap()), r#"{"own":1}"#);
    assert_eq!(call(&*transport, 4).await.unwrap_err().kind(), TransportErrorKind::Protocol);
}
