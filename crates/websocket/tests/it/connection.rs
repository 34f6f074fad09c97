//! Connections that come about, and how they end.

use bowline_protocol::RawJson;
use bowline_protocol::frame::Message;
use bowline_testkit::websocket::{MockWebSocket, Upgrade, WebSocketMisbehaviour};
use bowline_testkit::{Misbehaviour, MockServer, When, contract};
use bowline_transport::{Connect, InboundEvent, Sent, TransportErrorKind};
use bowline_websocket::WebSocketConnect;

use crate::support::{ask, message, ping, refusal, within};

const NOTIFICATION: &str = r#"{"jsonrpc":"2.0","method":"notifications/message"}"#;

#[tokio::test]
async fn case_websocket_003_the_upgrade_carries_the_token_and_offers_mcp() {
    // The first message may come together with the answer.
    let server =
        MockWebSocket::new(MockServer::builder().build()).bearer_token("t").greeting(NOTIFICATION).start().unwrap();
    // What was wrong with one that was replaced is no matter.
    let connect = WebSocketConnect::new(server.url("/mcp?session=1")).bearer_token("").bearer_token("an older one");
    let error = refusal(&connect).await;
    assert_eq!((error.kind(), error.status()), (TransportErrorKind::Unauthorized, Some(401)), "{error}");
    let connect = connect.bearer_token("Bearer t").header("x-tenant", "blue");
    let transport = within(connect.connect()).await.unwrap();
    message(&mut transport.take_inbound().unwrap()).await;
    let head = server.requests().pop().unwrap().head;
    let lower = head.to_lowercase();
    assert!(head.starts_with("GET /mcp?session=1 HTTP/1.1\r\n"), "{head}");
    for header in [
        format!("host: {}", server.address()),
        "authorization: bearer t".to_owned(),
        "x-tenant: blue".to_owned(),
        "sec-websocket-protocol: mcp".to_owned(),
        "sec-websocket-version: 13".to_owned(),
        "upgrade: websocket".to_owned(),
        "connection: upgrade".to_owned(),
    ] {
        assert_eq!(lower.lines().filter(|line| **line == header).count(), 1, "{header} in {head}");
    }
    assert!(!lower.contains("older"), "{head}");
}

#[tokio::test]
async fn case_websocket_003_twenty_mebibytes_in_300_fragments_are_one_message() {
    let text = RawJson::from(serde_json::json!({ "data": "x".repeat(20 << 20) }));
    let length = text.as_bytes().len();
    let mock = MockServer::builder().misbehave(When::always(), Misbehaviour::Answer(text)).build();
    let fragments = WebSocketMisbehaviour::Fragments(300);
    let server = MockWebSocket::new(mock).misbehave(When::always(), fragments).start().unwrap();
    let transport = within(WebSocketConnect::new(server.url("/")).connect()).await.unwrap();
    let Message::Response(answer) = ask(&*transport, 1).await.unwrap() else { panic!("an answer was due") };
    let result = answer.outcome.unwrap().into_raw().unwrap();
    assert_eq!(result.as_bytes().len(), length);
}

#[tokio::test]
async fn a_server_that_chooses_no_subprotocol_is_taken() {
    let mock = MockWebSocket::new(MockServer::builder().build()).upgrade(Upgrade::NoSubprotocol);
    let server = mock.greeting(NOTIFICATION).start().unwrap();
    let transport = within(WebSocketConnect::new(server.url("/")).connect()).await.unwrap();
    message(&mut transport.take_inbound().unwrap()).await;
}

#[tokio::test]
async fn case_websocket_003_a_socket_that_drops_ends_its_session_and_the_next_connect_begins_another() {
    let mock = contract::server();
    let server = MockWebSocket::new(mock.clone()).start().unwrap();
    let connect = WebSocketConnect::new(server.url("/mcp"));
    let transport = within(connect.connect()).await.unwrap();
    ping(&*transport, 1).await.unwrap();
    mock.disconnect();
    let mut inbound = transport.take_inbound().unwrap();
    assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Closed(_))));
    let error = ping(&*transport, 2).await.expect_err("the connection has ended");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
    let again = within(connect.connect()).await.unwrap();
    ping(&*again, 1).await.unwrap();
    assert_eq!(mock.journal().connections(), 2);
    within(again.close()).await.unwrap();
}
