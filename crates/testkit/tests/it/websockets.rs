//! WebSocket connections, byte by byte.

use std::time::Duration;

use bowline_testkit::websocket::{ControlFrame, MockWebSocket, WebSocketServer};
use bowline_testkit::{MockServer, When, websocket::WebSocketMisbehaviour};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PING: &[u8] = b"{\n\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
const ANSWER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
/// Bounds a wait; a test that hangs fails.
const LONG: Duration = Duration::from_secs(30);

/// A frame of a client. With a mask of noughts its payload is as it was.
fn frame(code: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | code, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0], payload].concat()
}

/// Asks for the upgrade, and gives the head of the answer.
async fn ask(server: &WebSocketServer, headers: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("GET /mcp HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LONG, stream.read_u8()).await.expect("the head goes on").unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

/// Upgrades with the key of RFC 6455, section 1.3.
async fn open(server: &WebSocketServer) -> TcpStream {
    let (stream, head) =
        ask(server, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, mcp\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert!(head.contains("Sec-WebSocket-Protocol: mcp\r\n"), "{head}");
    stream
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    timeout(LONG, stream.read_exact(&mut read)).await.expect("more was due").unwrap();
    assert_eq!(read, bytes);
}

async fn end(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read(&mut [0; 1])).await.expect("the stream goes on").unwrap();
    assert_eq!(read, 0);
}

#[tokio::test]
async fn messages_pings_and_the_close_are_answered_and_kept() {
    let mock = MockServer::builder().build();
    let server = MockWebSocket::new(mock.clone()).start().unwrap();
    let mut stream = open(&server).await;
    stream.write_all(&frame(1, PING)).await.unwrap();
    expect(&mut stream, &[&[0x81, u8::try_from(ANSWER.len()).unwrap()], ANSWER].concat()).await;
    stream.write_all(&frame(9, b"you?")).await.unwrap();
    expect(&mut stream, b"\x8a\x04you?").await;
    stream.write_all(&frame(8, b"\x03\xe9bye")).await.unwrap();
    expect(&mut stream, b"\x88\x02\x03\xe9").await;
    end(&mut stream).await;
    drop(stream);
    timeout(LONG, mock.journal().wait_ended()).await.unwrap();
    let frames = [ControlFrame::Ping("you?".into()), ControlFrame::Close(Some(1001), "bye".to_owned())];
    assert_eq!(server.control_frames(), frames.map(|frame| (1, frame)));
    assert_eq!((server.requests()[0].path(), server.requests()[0].header("host")), ("/mcp", "h"));
}

#[tokio::test]
async fn a_session_that_ends_says_goodbye_and_one_that_vanishes_does_not() {
    let mock = MockServer::builder().build();
    let vanish = WebSocketMisbehaviour::Vanish;
    let server = MockWebSocket::new(mock.clone()).misbehave(When::method("ping").nth(2), vanish).start().unwrap();
    for goodbye in [&b"\x88\x02\x03\xe8"[..], b""] {
        let mut stream = open(&server).await;
        stream.write_all(&frame(1, PING)).await.unwrap();
        if !goodbye.is_empty() {
            stream.read_exact(&mut [0; 2 + ANSWER.len()]).await.unwrap();
            mock.disconnect();
        }
        expect(&mut stream, goodbye).await;
        end(&mut stream).await;
    }
}

#[tokio::test]
async fn pings_go_unanswered_where_that_is_asked_for() {
    let server = MockWebSocket::new(MockServer::builder().build()).without_pongs().start().unwrap();
    let mut stream = open(&server).await;
    stream.write_all(&[frame(9, b"you?"), frame(1, PING)].concat()).await.unwrap();
    expect(&mut stream, &[0x81, u8::try_from(ANSWER.len()).unwrap()]).await;
    assert_eq!(server.control_frames().len(), 1);
}

#[tokio::test]
async fn what_asks_for_no_upgrade_gets_none() {
    let server = MockWebSocket::new(MockServer::builder().build()).start().unwrap();
    let (_stream, head) = ask(&server, "").await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
}
