//! Servers that do to a connection what they must not, over a real socket.

use std::time::Duration;

use bowline_protocol::frame::Message;
use bowline_testkit::websocket::{ControlFrame, MockWebSocket, WebSocketMisbehaviour};
use bowline_testkit::{Misbehaviour, MockServer, When};
use bowline_transport::{Connect, Limits, Sent, TransportError, TransportErrorKind};
use bowline_websocket::WebSocketConnect;
use bytes::Bytes;

use crate::support::{message, ping, within};

fn mock() -> MockWebSocket {
    MockWebSocket::new(MockServer::builder().build())
}

/// The error that a ping ends with, and the code that the client closes with, if it says one.
async fn failure(mock: MockWebSocket, says_goodbye: bool) -> (TransportError, Option<u16>) {
    let server = mock.start().unwrap();
    let limits = Limits::default().with_max_frame_bytes(1000);
    let connect = WebSocketConnect::new(server.url("/mcp")).limits(limits);
    let transport = within(connect.connect()).await.unwrap();
    let error = ping(&*transport, 1).await.expect_err("the server misbehaves");
    assert_ne!(error.sent(), Sent::No, "{error}");
    assert!(error.to_string().contains(&server.url("/mcp")), "{error}");
    if !says_goodbye {
        return (error, None);
    }
    match within(server.wait_for(|frame| matches!(frame, ControlFrame::Close(..)))).await {
        ControlFrame::Close(code, _) => (error, code),
        other => panic!("a close frame was due, but this came: {other:?}"),
    }
}

#[tokio::test]
async fn what_ends_a_connection_is_named_and_the_server_is_told() {
    use TransportErrorKind::{Closed, Protocol, TooLarge};
    use WebSocketMisbehaviour::{Announce, Close, Compressed, CutInFrame, Masked, Oversize, StrayContinuation, Vanish};

    for (what, kind, says, code) in [
        (Announce(1 << 40), TooLarge, "more than 1000 bytes", Some(1009)),
        (Oversize(1001), TooLarge, "more than 1000 bytes", Some(1009)),
        (Close(1011, "no rope".to_owned()), Closed, "failed inside (close code 1011, no rope)", Some(1011)),
        (Close(1013, String::new()), Closed, "overloaded", Some(1013)),
        (Compressed, Protocol, "broke the WebSocket protocol", Some(1002)),
        (Masked, Protocol, "broke the WebSocket protocol: Received a masked frame", Some(1002)),
        (StrayContinuation, Protocol, "broke the WebSocket protocol", Some(1002)),
        (CutInFrame, Closed, "vanished", None),
        (Vanish, Closed, "vanished", None),
    ] {
        let (error, said) = failure(mock().misbehave(When::method("ping"), what.clone()), code.is_some()).await;
        assert_eq!((error.kind(), said), (kind, code), "{what:?}: {error}");
        assert!(error.to_string().contains(says), "{what:?}: {error}");
    }
}

#[tokio::test]
async fn text_that_is_none_is_refused_with_1007() {
    let garbage = Misbehaviour::Garbage(Bytes::from_static(b"\xff\xfe"));
    let server = MockServer::builder().misbehave(When::method("ping"), garbage).build();
    let (error, code) = failure(MockWebSocket::new(server), true).await;
    assert_eq!((error.kind(), code), (TransportErrorKind::Protocol, Some(1007)), "{error}");
}

#[tokio::test]
async fn case_websocket_001_lines_binary_and_pings_over_a_real_socket() {
    let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n\n  \"method\": \"notifications/message\"\n}\n";
    let server = mock()
        .greeting(pretty)
        .misbehave(When::method("ping").nth(1), WebSocketMisbehaviour::Binary)
        .misbehave(When::method("ping").nth(2), WebSocketMisbehaviour::PingStorm(100))
        .start()
        .unwrap();
    let transport = within(WebSocketConnect::new(server.url("/")).connect()).await.unwrap();
    let mut inbound = transport.take_inbound().unwrap();
    assert!(matches!(message(&mut inbound).await, Message::Notification(_)));
    // Some servers send their JSON so, and are understood.
    ping(&*transport, 1).await.unwrap();
    ping(&*transport, 2).await.unwrap();
    within(server.wait_for(|frame| matches!(frame, ControlFrame::Pong(data) if data == "there?"))).await;
    within(transport.close()).await.unwrap();
    within(server.wait_for(|frame| matches!(frame, ControlFrame::Close(Some(1000), _)))).await;
}

#[tokio::test]
async fn a_server_that_answers_pings_and_nothing_else_is_alive() {
    let server = MockServer::builder().misbehave(When::method("ping").nth(1), Misbehaviour::NeverAnswer).build();
    let server = MockWebSocket::new(server).start().unwrap();
    let connect = WebSocketConnect::new(server.url("/")).keep_alive(Duration::from_millis(20), Duration::from_secs(20));
    let transport = within(connect.connect()).await.unwrap();
    let unanswered = ping(&*transport, 1);
    let other = async {
        within(server.wait_for(|frame| matches!(frame, ControlFrame::Ping(_)))).await;
        ping(&*transport, 2).await.unwrap();
    };
    tokio::select! {
        answer = unanswered => panic!("no answer was due: {answer:?}"),
        () = other => {}
    }
}

#[tokio::test]
async fn a_server_that_no_longer_answers_pings_is_given_up() {
    let silent = || MockServer::builder().misbehave(When::always(), Misbehaviour::NeverAnswer).build();
    for mock in [MockWebSocket::new(silent()).without_pongs(), MockWebSocket::new(silent()).deaf()] {
        let server = mock.start().unwrap();
        let limit = Duration::from_millis(50);
        let connect = WebSocketConnect::new(server.url("/")).keep_alive(limit, limit);
        let transport = within(connect.connect()).await.unwrap();
        let error = ping(&*transport, 1).await.expect_err("nothing answers");
        assert_eq!(error.kind(), TransportErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains("no longer answers pings"), "{error}");
    }
}
