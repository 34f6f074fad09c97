//! Connections that misbehave, byte by byte.

use std::time::Duration;

use bowline_testkit::MockServer;
use bowline_testkit::socket::{MockSocket, SocketMisbehaviour, SocketServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
const ANSWER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
/// Bounds a wait; a test that hangs fails.
const LONG: Duration = Duration::from_secs(30);

fn start(what: SocketMisbehaviour) -> (MockServer, SocketServer) {
    let server = MockServer::builder().build();
    (server.clone(), MockSocket::new(server).misbehave(what).tcp().unwrap())
}

async fn connect(listening: &SocketServer) -> TcpStream {
    TcpStream::connect(listening.target().strip_prefix("tcp:").unwrap()).await.unwrap()
}

/// What comes up to the end of the stream.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    timeout(LONG, stream.read_to_end(&mut read)).await.expect("the stream goes on").unwrap();
    read
}

#[tokio::test]
async fn a_cut_is_at_its_byte() {
    for bytes in [1, ANSWER.len() - 1, ANSWER.len()] {
        let (server, listening) = start(SocketMisbehaviour::CutAfter(bytes));
        let mut stream = connect(&listening).await;
        stream.write_all(PING).await.unwrap();
        assert_eq!(rest(&mut stream).await, ANSWER[..bytes]);
        // The session ends with the connection.
        timeout(LONG, server.journal().wait_ended()).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_lingers_answers_and_stays() {
    let (server, listening) = start(SocketMisbehaviour::Linger);
    let mut stream = connect(&listening).await;
    stream.write_all(PING).await.unwrap();
    let mut answer = vec![0; ANSWER.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, ANSWER);
    stream.shutdown().await.unwrap();
    timeout(LONG, server.journal().wait_ended()).await.unwrap();
    stream.try_read(&mut [0]).expect_err("the stream has not ended");
    // Until the server does.
    drop(listening);
    assert!(rest(&mut stream).await.is_empty());
}

#[tokio::test]
async fn what_a_mute_connection_reads_is_in_the_journal() {
    let (server, listening) = start(SocketMisbehaviour::Mute);
    let mut stream = connect(&listening).await;
    stream.write_all(PING).await.unwrap();
    timeout(LONG, server.journal().wait_for_method("ping")).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(&mut stream).await.is_empty());
}

#[tokio::test]
async fn one_connection_misbehaves_and_the_next_does_not() {
    let server = MockServer::builder().build();
    let mock = MockSocket::new(server).misbehave_on(1, SocketMisbehaviour::CloseAtOnce);
    let listening = mock.tcp().unwrap();
    assert!(rest(&mut connect(&listening).await).await.is_empty());
    let mut stream = connect(&listening).await;
    stream.write_all(PING).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, ANSWER);
    assert_eq!(listening.connections(), 2);
}
