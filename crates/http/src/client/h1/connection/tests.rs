use std::collections::VecDeque;
use std::sync::Mutex;

use bowline_transport::Sent;
use http::HeaderValue;
use http::header::{CONNECTION, HOST};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};

use super::*;

/// A connection, and the server's side of it.
fn pair(room: usize) -> (Connection, DuplexStream) {
    let (ours, theirs) = duplex(room);
    (Connection::new(Box::new(ours)), theirs)
}

fn is_free(connection: &mut Connection) -> bool {
    connection.is_free(&mut Context::from_waker(Waker::noop()))
}

/// Asks with a body.
async fn ask(connection: &mut Connection, body: &'static [u8]) -> (io::Result<StatusCode>, Sent) {
    let (body, handover) = (Bytes::from_static(body), Arc::new(Handover::default()));
    let headers = [(HOST, HeaderValue::from_static("h"))].into_iter().collect();
    let request = Request {
        method: &Method::POST,
        line: &Uri::from_static("/mcp"),
        headers: &headers,
        body: Some((&body, &handover)),
    };
    let answered = connection.exchange(request).await;
    (answered.map(|(status, _)| status), handover.sent())
}

/// All of the answer.
async fn read(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = poll_fn(|cx| connection.poll_piece(cx)).await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

async fn append(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(appended) = poll_fn(|cx| connection.poll_append(cx, &mut whole)).await {
        appended?;
    }
    Ok(whole)
}

/// Answers one request with this, whatever it is.
async fn answer(server: &mut DuplexStream, text: &str) {
    let mut request = [0; 1024];
    assert_ne!(server.read(&mut request).await.unwrap(), 0);
    server.write_all(text.as_bytes()).await.unwrap();
}

/// What comes of an answer that is all the server ever says.
async fn answered(text: &str) -> io::Result<(StatusCode, Vec<u8>, bool)> {
    let (mut connection, mut server) = pair(64 << 10);
    let answering = async {
        answer(&mut server, text).await;
        drop(server);
    };
    let ((asked, _), ()) = tokio::join!(ask(&mut connection, b"{}"), answering);
    let status = asked?;
    let body = read(&mut connection).await?;
    Ok((status, body, connection.may_go_on()))
}

#[tokio::test]
async fn one_request_after_another() {
    let (mut connection, mut server) = pair(64 << 10);
    for text in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"]
    {
        assert!(is_free(&mut connection));
        let ((asked, sent), ()) = tokio::join!(ask(&mut connection, b"{}"), answer(&mut server, text));
        assert!(asked.unwrap().is_success());
        assert_eq!(sent, Sent::Maybe);
        let body = append(&mut connection).await.unwrap();
        assert!(text.ends_with(std::str::from_utf8(&body).unwrap()));
    }
    assert!(is_free(&mut connection));
    drop(server);
    assert!(!is_free(&mut connection));
}

#[tokio::test]
async fn an_end_is_seen_whatever_turn_the_task_has() {
    let (mut connection, server) = pair(64);
    drop(server);
    poll_fn(|cx| {
        while let Poll::Ready(turn) = coop::poll_proceed(cx) {
            turn.made_progress();
        }
        assert!(!coop::has_budget_remaining() && !is_free(&mut connection));
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_request_is_written_whole() {
    // Little room, so that it takes many turns.
    let (mut connection, mut server) = pair(7);
    let serving = async {
        let mut came = vec![0; 50 + 6];
        server.read_exact(&mut came).await.unwrap();
        server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        came
    };
    let ((asked, _), came) = tokio::join!(ask(&mut connection, b"123456"), serving);
    assert_eq!(asked.unwrap(), StatusCode::NO_CONTENT);
    assert_eq!(came, b"POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\n123456");
    assert!(is_free(&mut connection));
}

#[tokio::test]
async fn the_body_ends_where_the_head_says() {
    for (text, body, goes_on) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc", true),
        ("HTTP/1.1 200 OK\r\n\r\nabc", "abc", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", false),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n", "", false),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", "", true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
            "a",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na", "a", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "ab", false),
        // What nobody asked for.
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n", "a", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP/1.1", "a", false),
        ("HTTP/1.1 204 No Content\r\n\r\nmore", "", false),
    ] {
        let (_, read, may_go_on) = answered(text).await.unwrap();
        assert_eq!((std::str::from_utf8(&read).unwrap(), may_go_on), (body, goes_on), "{text:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let (mut connection, mut server) = pair(1024);
    let headers = HeaderMap::new();
    let request = Request { method: &Method::HEAD, line: &Uri::from_static("/"), headers: &headers, body: None };
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n";
    let (answered, ()) = tokio::join!(connection.exchange(request), answer(&mut server, text));
    assert!(answered.is_ok() && connection.is_over() && is_free(&mut connection));
}

#[tokio::test]
async fn what_is_cut_or_no_http_is_an_error() {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    for (text, kind) in [
        ("HTTP/1.1 200 OK\r\ncontent-le", UnexpectedEof),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", UnexpectedEof),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", UnexpectedEof),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc", InvalidData),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", InvalidData),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", InvalidData),
        ("SSH-2.0-OpenSSH_9\r\n", InvalidData),
    ] {
        assert_eq!(answered(text).await.unwrap_err().kind(), kind, "{text:?}");
    }
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM + 1);
    assert_eq!(answered(&interim).await.unwrap_err().kind(), InvalidData);
}

#[tokio::test]
async fn an_answer_may_overtake_the_body() {
    let (mut connection, mut server) = pair(16);
    let serving = async {
        let mut some = [0; 16];
        server.read_exact(&mut some).await.unwrap();
        // Longer than what fits at once, so that the client has to read it piece by piece.
        server.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nfull").await.unwrap();
        server
    };
    let ((asked, _), mut server) = tokio::join!(ask(&mut connection, &[b'x'; 1000]), serving);
    assert_eq!(asked.unwrap(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read(&mut connection).await.unwrap(), b"full");
    // It is still being written, so nothing else can be.
    assert!(!is_free(&mut connection));
    let mut rest = vec![0; 1000];
    while !is_free(&mut connection) {
        assert_ne!(server.read(&mut rest).await.unwrap(), 0);
    }
}

/// A stream whose writes and reads are as the test says, and its log.
struct Scripted {
    /// How each write ends; after the last, like the last.
    writes: Vec<Result<usize, io::ErrorKind>>,
    /// What each read brings; nothing is nothing for now.
    reads: VecDeque<usize>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    /// What it was given to write, whatever came of that.
    given: Vec<u8>,
    shutdowns: usize,
    /// How much room each read had.
    rooms: Vec<usize>,
}

impl AsyncRead for Scripted {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.log.lock().unwrap().rooms.push(to.remaining());
        match self.reads.pop_front() {
            None | Some(0) => Poll::Pending,
            Some(count) => {
                to.put_slice(&vec![b'x'; count.min(to.remaining())]);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.lock().unwrap().given.extend_from_slice(bytes);
        let ends = if self.writes.len() > 1 { self.writes.remove(0) } else { self.writes[0] };
        Poll::Ready(ends.map(|most| bytes.len().min(most)).map_err(Into::into))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.log.lock().unwrap().shutdowns += 1;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_stream_that_took_a_request_and_failed_is_not_given_it_again() {
    let log = Arc::new(Mutex::new(Log::default()));
    let writes = vec![Err(io::ErrorKind::Interrupted), Ok(usize::MAX)];
    let stream = Scripted { writes, reads: VecDeque::new(), log: Arc::clone(&log) };
    let mut connection = Connection::new(Box::new(stream));
    {
        let mut asking = pin!(ask(&mut connection, b"{}"));
        for _ in 0..3 {
            assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    assert!(!connection.may_go_on() && !is_free(&mut connection));
    drop(connection);
    let log = log.lock().unwrap();
    let given = String::from_utf8_lossy(&log.given);
    assert_eq!(given.matches("POST /mcp").count(), 1, "{given}");
    assert_eq!(log.shutdowns, 0, "what it holds is not flushed either");
}

#[tokio::test]
async fn whoever_waits_for_more_of_a_large_answer_has_no_room_for_it() {
    let log = Arc::new(Mutex::new(Log::default()));
    let reads = [spare::SIZE, 0, 0, 0].into();
    let stream = Scripted { writes: vec![Ok(usize::MAX)], reads, log: Arc::clone(&log) };
    let mut connection = Connection::new(Box::new(stream));
    connection.length = Length::UntilClose;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.poll_piece(&mut cx).is_ready());
    for _ in 0..3 {
        assert!(connection.poll_piece(&mut cx).is_pending());
    }
    assert_eq!(log.lock().unwrap().rooms, [spare::SIZE, MUCH, spare::SIZE, spare::SIZE]);
}

#[tokio::test]
async fn a_request_that_says_that_it_is_the_last_is_the_last() {
    let (mut connection, mut server) = pair(1024);
    let headers = [(CONNECTION, HeaderValue::from_static("x, Close"))].into_iter().collect();
    let request = Request { method: &Method::GET, line: &Uri::from_static("/"), headers: &headers, body: None };
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (answered, ()) = tokio::join!(connection.exchange(request), answer(&mut server, text));
    assert!(answered.is_ok() && !connection.may_go_on());
}

#[tokio::test]
async fn an_answer_before_the_server_hung_up_is_taken() {
    /// Reads what it is given, and takes nothing.
    struct Deaf(VecDeque<u8>);
    impl AsyncRead for Deaf {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let count = self.0.len().min(to.remaining());
            to.put_slice(&self.0.drain(..count).collect::<Vec<_>>());
            Poll::Ready(Ok(()))
        }
    }
    impl AsyncWrite for Deaf {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let says = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
    let mut connection = Connection::new(Box::new(Deaf(says.iter().copied().collect())));
    assert_eq!(ask(&mut connection, b"{}").await.0.unwrap(), StatusCode::UNAUTHORIZED);
    assert_eq!(read(&mut connection).await.unwrap(), b"no");
    assert!(!connection.may_go_on());
    // Without one, what failed first is told.
    let mut connection = Connection::new(Box::new(Deaf(VecDeque::new())));
    assert_eq!(ask(&mut connection, b"{}").await.0.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_was_given_up_is_not_written() {
    let (mut connection, mut server) = pair(1024);
    let (body, handover) = (Bytes::from_static(b"{}"), Arc::new(Handover::default()));
    assert!(handover.hold_back());
    let headers = HeaderMap::new();
    let body = Some((&body, &handover));
    let request = Request { method: &Method::POST, line: &Uri::from_static("/"), headers: &headers, body };
    assert!(connection.exchange(request).await.is_err());
    assert_eq!(handover.sent(), Sent::No);
    drop(connection);
    let mut came = Vec::new();
    server.read_to_end(&mut came).await.unwrap();
    assert!(came.is_empty());
}

#[tokio::test]
async fn a_large_body_is_the_same_in_whatever_way_it_comes_and_is_read() {
    let large: String = ('a'..='z').cycle().take(3 << 20).collect();
    let chunks: String = large
        .as_bytes()
        .chunks(70_001)
        .map(|chunk| format!("{:X}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
        .collect();
    for head_and_body in [
        format!("content-length: {}\r\n\r\n{large}", large.len()),
        format!("transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{head_and_body}");
        for appends in [false, true] {
            let (mut connection, mut server) = pair(600 << 10);
            let reading = async {
                ask(&mut connection, b"{}").await.0.unwrap();
                if appends { append(&mut connection).await } else { read(&mut connection).await }
            };
            let (body, ()) = tokio::join!(reading, answer(&mut server, &text));
            // Compared as a whole, so that a difference does not print megabytes.
            assert!(body.unwrap() == large.as_bytes());
            assert!(is_free(&mut connection));
        }
    }
}
