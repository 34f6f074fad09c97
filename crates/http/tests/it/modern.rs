//! Revision 2026-07-28: no session, no stream of unasked messages, and headers that say what a request is about.

use bowline_protocol::Revision;
use bowline_protocol::frame::Message;
use bowline_testkit::http::Reply;
use bowline_transport::{Sent, TransportErrorKind, WireRequest};
use serde_json::json;

use crate::peer::{answer, answering, connect, count, request, server, unasked};

fn modern(id: i64) -> WireRequest {
    let mut request = request(id, "tools/call");
    request.routing = request.routing.with_revision(Revision::V2026_07_28).with_mirrored("Region", "\u{4e16}");
    request
}

fn settings(server: &bowline_testkit::http::HttpServer) -> bowline_http::HttpConnect {
    bowline_http::HttpConnect::new(&server.url("/mcp")).unwrap()
}

#[tokio::test]
async fn case_http_019_case_http_021_h_09_h_22_every_post_says_what_it_is_about_and_carries_no_session() {
    let server = answering(|request| Reply::result(request, "{}").with("mcp-session-id", "unwanted")).await;
    let transport = connect(&settings(&server)).await;
    for id in 1..=2 {
        answer(transport.request(modern(id)).await.unwrap()).await.unwrap();
    }
    transport.close().await.unwrap();
    assert_eq!(server.requests().len(), 2, "neither GET nor DELETE");
    for request in server.requests() {
        assert_eq!(request.header("mcp-protocol-version"), "2026-07-28");
        assert_eq!((request.header("mcp-method"), request.header("mcp-name")), ("tools/call", "knots"));
        assert_eq!(request.header("mcp-param-region"), "=?base64?5LiW?=");
        assert_eq!(request.header("mcp-session-id"), "");
    }
}

#[tokio::test]
async fn h_24_closing_the_stream_is_the_cancellation() {
    let server = server(|_| std::future::pending()).await;
    let transport = connect(&settings(&server)).await;
    let exchange = transport.request(modern(1)).await.unwrap();
    server.wait_for(|request| request.rpc_method() == "tools/call").await;
    drop(exchange);
    transport.close().await.unwrap();
    assert_eq!(server.requests().len(), 1, "no notifications/cancelled");
}

#[tokio::test]
async fn h_23_a_stream_that_breaks_is_lost_even_with_ids() {
    let server = answering(|_| Reply::events().data("id: e1\ndata:\n\n").cut()).await;
    let transport = connect(&settings(&server)).await;
    let error = answer(transport.request(modern(1)).await.unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Yes));
    assert_eq!(count(&server, "GET"), 0);
}

#[tokio::test]
async fn h_25_what_a_stream_brings_belongs_to_its_request() {
    let server = answering(|request| {
        let id = request.json()["id"].clone();
        let note =
            |method: &str, params: serde_json::Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let progress = |n: u32| note("notifications/progress", json!({ "progressToken": id, "progress": n }));
        let log = note("notifications/message", json!({ "level": "info", "data": id }));
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
        [progress(1), log, progress(2), answer]
            .iter()
            .fold(Reply::events(), |reply, message| reply.data(format!("data: {message}\n\n")))
    })
    .await;
    let transport = connect(&settings(&server)).await;
    let mut beside = transport.take_inbound().unwrap();
    let mut exchanges = Vec::new();
    for id in 1..=3 {
        exchanges.push((id, transport.request(modern(id)).await.unwrap()));
    }
    for (id, mut exchange) in exchanges {
        let mut brought = Vec::new();
        loop {
            match exchange.next().await.unwrap().unwrap() {
                Message::Notification(note) => {
                    let params = note.params.unwrap().to_value();
                    brought.extend(params.get("data").or(params.get("progressToken")).cloned());
                }
                Message::Response(response) => {
                    assert_eq!(response.id, Some(id.into()));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(brought, [id, id, id], "its own and no other's");
    }
    transport.close().await.unwrap();
    assert!(unasked(&mut beside).await.starts_with("closed"), "nothing came beside the requests");
}
