//! Connections that come about, and how they end.

use bowline_testkit::contract;
use bowline_transport::{Connect, Inbound, InboundEvent, Sent, TransportErrorKind};
use bowline_websocket::WebSocketConnect;
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{accept, bridge, head, listen, ping, serve_each, within};

async fn message(inbound: &mut Inbound) -> bowline_protocol::frame::Message {
    match within(inbound.next()).await {
        Some(InboundEvent::Message(message)) => message,
        other => panic!("a message was due, but this came: {other:?}"),
    }
}

#[tokio::test]
async fn case_websocket_003_the_upgrade_carries_the_token_and_offers_mcp() {
    let (listener, address) = listen();
    let connect = WebSocketConnect::new(format!("ws://{address}/mcp?session=1"))
        .bearer_token("an older one")
        .bearer_token("t")
        .header("x-tenant", "blue");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-Websocket-Key: ")).expect("a key").to_owned();
        // As lists and in another case, which is allowed.
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: mcp\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        // The first message may come together with the answer.
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/message"}"#;
        let mut answer = answer.into_bytes();
        answer.extend([0x81, u8::try_from(notification.len()).unwrap()]);
        answer.extend(notification);
        stream.write_all(&answer).await.unwrap();
        (head, stream)
    });
    let transport = within(connect.connect()).await.unwrap();
    message(&mut transport.take_inbound().unwrap()).await;
    let (head, _stream) = within(serving).await.unwrap();
    let lower = head.to_lowercase();
    assert!(head.starts_with("GET /mcp?session=1 HTTP/1.1\r\n"), "{head}");
    for header in [
        format!("host: {address}"),
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
    let (listener, address) = listen();
    serve_each(listener, |stream| async move {
        let mut socket = accept(stream).await.unwrap();
        let text = "x".repeat(20 << 20);
        let json = format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{text}"}}}}"#);
        let chunks: Vec<_> = json.as_bytes().chunks(json.len().div_ceil(300)).collect();
        for (at, chunk) in chunks.iter().enumerate() {
            let code = if at == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(chunk.to_vec(), OpCode::Data(code), at + 1 == chunks.len());
            socket.feed(Message::Frame(frame)).await.unwrap();
        }
        socket.flush().await.unwrap();
        std::future::pending::<()>().await;
    });
    let transport = within(WebSocketConnect::new(format!("ws://{address}/")).connect()).await.unwrap();
    let bowline_protocol::frame::Message::Notification(log) = message(&mut transport.take_inbound().unwrap()).await
    else {
        panic!("a notification was due");
    };
    assert_eq!(log.params.unwrap().as_bytes().len(), (20 << 20) + r#"{"data":""}"#.len());
}

#[tokio::test]
async fn a_server_that_chooses_no_subprotocol_is_taken() {
    let (listener, address) = listen();
    serve_each(listener, |stream| async move {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.send(Message::text(r#"{"jsonrpc":"2.0","method":"notifications/message"}"#)).await.unwrap();
        std::future::pending::<()>().await;
    });
    let transport = within(WebSocketConnect::new(format!("ws://{address}/")).connect()).await.unwrap();
    message(&mut transport.take_inbound().unwrap()).await;
}

#[tokio::test]
async fn case_websocket_003_a_socket_that_drops_ends_its_session_and_the_next_connect_begins_another() {
    let (listener, address) = listen();
    let server = contract::server();
    let serving = server.clone();
    serve_each(listener, move |stream| bridge(stream, serving.clone()));
    let connect = WebSocketConnect::new(format!("ws://{address}/mcp"));
    let transport = within(connect.connect()).await.unwrap();
    ping(&*transport, 1).await.unwrap();
    server.disconnect();
    let mut inbound = transport.take_inbound().unwrap();
    assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Closed(_))));
    let error = ping(&*transport, 2).await.expect_err("the connection has ended");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
    let again = within(connect.connect()).await.unwrap();
    ping(&*again, 1).await.unwrap();
    assert_eq!(server.journal().connections(), 2);
    within(again.close()).await.unwrap();
}
