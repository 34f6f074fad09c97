//! Servers that go away, or send what they must not.

use bowline_socket::TcpConnect;
use bowline_transport::{Connect, InboundEvent, Limits, Sent, Transport, TransportErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ping, within};

/// Connects, and gives both ends.
async fn pair(limits: Limits) -> (Box<dyn Transport>, BufReader<TcpStream>, TcpConnect, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpConnect::new(listener.local_addr().unwrap().to_string()).limits(limits);
    let transport = within(connect.connect()).await.unwrap();
    let (stream, _) = within(listener.accept()).await.unwrap();
    (transport, BufReader::new(stream), connect, listener)
}

/// Reads a line and answers it.
async fn answer(stream: &mut BufReader<TcpStream>, id: i64) {
    within(stream.read_line(&mut String::new())).await.unwrap();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n");
    stream.write_all(line.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_closes_in_mid_message_fails_open_calls_by_name() {
    let (transport, mut server, connect, _listener) = pair(Limits::default()).await;
    let mut inbound = transport.take_inbound().unwrap();
    let serving = tokio::spawn(async move {
        server.read_line(&mut String::new()).await.unwrap();
        server.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"res").await.unwrap();
    });
    let error = ping(&*transport, 1).await.expect_err("half an answer is none");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));
    assert!(error.to_string().contains(&connect.describe()), "{error}");
    assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Fault(_))));
    assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Closed(_))));
    serving.await.unwrap();
    let error = ping(&*transport, 2).await.expect_err("the connection has ended");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
}

#[tokio::test]
async fn a_message_that_never_ends_ends_the_connection() {
    let (transport, mut server, _connect, _listener) = pair(Limits::default().with_max_frame_bytes(64 << 10)).await;
    let serving = tokio::spawn(async move {
        let chunk = vec![b'x'; 16 << 10];
        // Goes on until the client hangs up.
        while server.write_all(&chunk).await.is_ok() {}
    });
    let error = ping(&*transport, 1).await.expect_err("there is no end of line");
    assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    drop(transport);
    within(serving).await.unwrap();
}

#[tokio::test]
async fn the_next_connection_reaches_the_server_that_took_the_place_of_the_last() {
    let (transport, mut server, connect, listener) = pair(Limits::default()).await;
    let serving = tokio::spawn(async move {
        answer(&mut server, 1).await;
        drop(server);
        let (stream, _) = listener.accept().await.unwrap();
        answer(&mut BufReader::new(stream), 1).await;
    });
    ping(&*transport, 1).await.unwrap();
    ping(&*transport, 2).await.expect_err("the first connection has ended");
    let again = within(connect.connect()).await.unwrap();
    ping(&*again, 1).await.unwrap();
    within(serving).await.unwrap();
}

#[tokio::test]
async fn a_close_waits_for_a_silent_server_no_longer_than_the_grace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect =
        TcpConnect::new(listener.local_addr().unwrap().to_string()).grace(std::time::Duration::from_millis(100));
    let transport = within(connect.connect()).await.unwrap();
    let (server, _) = within(listener.accept()).await.unwrap();
    within(transport.close()).await.unwrap();
    drop(server);
}
