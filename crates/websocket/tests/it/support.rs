//! A WebSocket server that passes everything on to the mock server, and what else the tests share.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bowline_protocol::{RequestId, frame};
use bowline_testkit::MockServer;
use bowline_transport::{Connect, Routing, Sent, Transport, TransportError, WireRequest};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Bounds a wait. It is no measure of speed: a test that hangs fails rather than stops the run.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("nothing came for 30 s")
}

/// A listener that is bound at once, and its address.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (TcpListener::from_std(listener).unwrap(), address)
}

/// Serves each connection by `serve` for as long as the runtime lives.
pub(crate) fn serve_each<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
}

/// Answers an upgrade that offers `mcp` by choosing it.
#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn choose_mcp(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if request.headers().get("sec-websocket-protocol").is_some_and(|offered| offered == "mcp") {
        response.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
    }
    Ok(response)
}

/// Accepts an upgrade.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Option<WebSocketStream<S>> {
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    tokio_tungstenite::accept_hdr_async_with_config(stream, choose_mcp, Some(config)).await.ok()
}

/// Accepts an upgrade, and speaks for the mock server until either side ends it.
pub(crate) async fn bridge<S: AsyncRead + AsyncWrite + Send + Unpin>(stream: S, server: MockServer) {
    let Some(socket) = accept(stream).await else { return };
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (mut sink, mut messages) = socket.split();
    let (lines, mut input) = tokio::io::split(ours);
    let serve = async {
        let (reader, writer) = tokio::io::split(theirs);
        let _ = server.serve(reader, writer).await;
    };
    let receive = async {
        while let Some(Ok(message)) = messages.next().await {
            let Message::Text(text) = message else { continue };
            let line = format!("{text}\n");
            if input.write_all(line.as_bytes()).await.is_err() {
                break;
            }
        }
        let _ = input.shutdown().await;
    };
    let send = async {
        let mut lines = BufReader::new(lines).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sink.send(Message::text(line)).await.is_err() {
                break;
            }
        }
        let _ = sink.close().await;
    };
    tokio::join!(serve, receive, send);
}

/// Reads the head of a request, byte for byte as it came.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server that reads the request and writes an answer, literally. Gives its URL.
pub(crate) fn literal(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let (listener, address) = listen();
    serve_each(listener, move |mut stream| {
        let answer = answer.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            // Held open: the client knows by itself when it has enough.
            let _ = stream.read_u8().await;
        }
    });
    format!("ws://{address}/mcp?key=q-SECRET-5")
}

/// The error of a connect that fails.
pub(crate) async fn refusal(connect: &dyn Connect) -> TransportError {
    let error = within(connect.connect()).await.err().expect("this connect fails");
    assert_eq!(error.sent(), Sent::No);
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// Sends a ping and waits for its answer.
pub(crate) async fn ping(transport: &dyn Transport, id: i64) -> Result<(), TransportError> {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    let mut exchange = within(transport.request(WireRequest::new(id, frame, Routing::new("ping")))).await?;
    within(exchange.next()).await.expect("an exchange ends with an answer or an error").map(|_| ())
}
