//! A WebSocket connection as the two byte streams that the mux speaks over: one text message, one line.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bowline_transport::{Limits, Mux, Secrets, TransportError};
use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::end;
use crate::keep_alive::{KeepAlive, Peer, Watch};
use crate::stream::Watched;

/// A longer message is sent in fragments of this size, so that it never lies in memory a second time.
const MAX_FRAGMENT: usize = 1 << 20;
/// What is gathered before it is written, and what is read at once.
const BUFFER: usize = 16 << 10;

/// What a connection is made with.
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) grace: Duration,
    pub(crate) keep_alive: Option<KeepAlive>,
    /// What errors call the server.
    pub(crate) peer: String,
    pub(crate) secrets: Secrets,
}

/// The bounds that the codec keeps.
pub(crate) fn config(limits: Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        // A fragment, and pongs for a server that asks much and reads nothing: beyond that it has failed.
        .max_write_buffer_size(2 * MAX_FRAGMENT)
        .max_message_size(Some(limits.max_frame_bytes))
        .max_frame_size(Some(limits.max_frame_bytes))
}

/// Speaks over an open connection.
pub(crate) fn transport(stream: WebSocketStream<Watched>, settings: Settings) -> Mux {
    let Settings { limits, grace, keep_alive, peer, secrets } = settings;
    let socket = Arc::new(Mutex::new(Socket { stream, writer: None }));
    let end = Arc::new(OnceLock::<TransportError>::new());
    let hidden = secrets.clone();
    let reader = Reader {
        socket: Arc::clone(&socket),
        end: Arc::clone(&end),
        line: Bytes::new(),
        newline: false,
        watch: keep_alive.map(Watch::new),
        peer,
        secrets,
        max: limits.max_frame_bytes,
    };
    let writer = Writer { socket, end: Arc::clone(&end), line: BytesMut::new(), fragmented: false, closing: false };
    Mux::builder()
        .secrets(hidden)
        .limits(limits)
        .grace(grace)
        .explain_end(move |cause| Box::pin(std::future::ready(end.get().cloned().unwrap_or(cause))))
        .spawn(reader, writer)
}

/// The connection, which both halves use in turns. Locked while polling, never across an await.
struct Socket {
    stream: WebSocketStream<Watched>,
    /// The writer's task, while it waits for the system to take bytes.
    writer: Option<Waker>,
}

impl Socket {
    /// Sends a close frame as far as that goes without waiting.
    fn say_goodbye(&mut self, code: CloseCode, cx: &mut Context<'_>) {
        let frame = CloseFrame { code, reason: "".into() };
        // The connection has failed already; telling the server why is a courtesy.
        let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(frame)));
        let _ = Pin::new(&mut self.stream).poll_flush(cx);
    }
}

impl Peer for Socket {
    fn heard(&self) -> Instant {
        self.stream.get_ref().heard()
    }

    fn written(&self) -> u64 {
        self.stream.get_ref().written()
    }

    fn ask(&mut self) {
        // A connection that cannot take it is found by the missing answer.
        let _ = Pin::new(&mut self.stream).start_send(Message::Ping(Bytes::new()));
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        // The stream wakes only whoever flushed last, and a writer that waits must not lose its turn.
        let writer = self.writer.clone();
        let mut cx = writer.as_ref().map_or_else(|| Context::from_waker(cx.waker()), Context::from_waker);
        Pin::new(&mut self.stream).poll_flush(&mut cx).is_ready()
    }
}

fn lock(socket: &Mutex<Socket>) -> MutexGuard<'_, Socket> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives each message as a line.
struct Reader {
    socket: Arc<Mutex<Socket>>,
    /// Why the connection ended, where that is known. The first cause counts.
    end: Arc<OnceLock<TransportError>>,
    /// What is left of the current message.
    line: Bytes,
    /// Whether its newline is still to come.
    newline: bool,
    watch: Option<Watch>,
    peer: String,
    secrets: Secrets,
    max: usize,
}

impl Reader {
    /// Waits for a message; `false` at the end of the connection.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut socket = lock(&self.socket);
        let (error, code) = loop {
            match Pin::new(&mut socket.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => self.line = text.into(),
                Poll::Ready(Some(Ok(Message::Binary(data)))) => {
                    // Some servers send their JSON so. What is none becomes a fault of the connection.
                    tracing::debug!(peer = self.peer, bytes = data.len(), "took a binary message as text");
                    self.line = data;
                }
                // The codec answers pings by itself.
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    // The answer is queued.
                    let _ = Pin::new(&mut socket.stream).poll_flush(cx);
                    break (end::closed(frame.as_ref(), &self.peer, &self.secrets), None);
                }
                Poll::Ready(Some(Err(error))) => break end::failed(error, &self.peer, self.max),
                Poll::Ready(None) => break end::failed(Error::ConnectionClosed, &self.peer, self.max),
                Poll::Pending => match &mut self.watch {
                    Some(watch) => {
                        ready!(watch.poll_gone(cx, &mut *socket));
                        break (end::silent(&self.peer), None);
                    }
                    None => return Poll::Pending,
                },
            }
            self.newline = true;
            return Poll::Ready(true);
        };
        if let Some(code) = code {
            socket.say_goodbye(code, cx);
        }
        let _ = self.end.set(error);
        Poll::Ready(false)
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.is_empty() && !self.newline && !ready!(self.poll_message(cx)) {
            return Poll::Ready(Ok(()));
        }
        let count = self.line.len().min(buf.remaining());
        let part = self.line.split_to(count);
        let start = buf.filled().len();
        buf.put_slice(&part);
        // JSON has line breaks between its tokens only, where a blank means the same.
        let mut rest = buf.filled_mut().get_mut(start..).unwrap_or_default();
        while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
            let (_, tail) = rest.split_at_mut(at);
            if let Some((line_break, tail)) = tail.split_first_mut() {
                *line_break = b' ';
                rest = tail;
            } else {
                break;
            }
        }
        if self.line.is_empty() && buf.remaining() > 0 {
            buf.put_slice(b"\n");
            self.newline = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Turns each line into a message.
struct Writer {
    socket: Arc<Mutex<Socket>>,
    end: Arc<OnceLock<TransportError>>,
    /// What came of the current line, up to a fragment.
    line: BytesMut,
    /// Whether a part of it was sent already.
    fragmented: bool,
    closing: bool,
}

impl Writer {
    fn send(&mut self, socket: &mut Socket, is_final: bool) -> io::Result<()> {
        let payload = self.line.split().freeze();
        let code = OpCode::Data(if self.fragmented { Data::Continue } else { Data::Text });
        self.fragmented = !is_final;
        // Text that was checked when it became a frame of JSON-RPC; it need not be looked at again.
        let frame = Frame::message(payload, code, is_final);
        Pin::new(&mut socket.stream).start_send(Message::Frame(frame)).map_err(to_io)
    }

    /// Polls the writing side, and leaves this task's waker with the socket while it waits.
    fn poll(
        socket: &mut Socket,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut WebSocketStream<Watched>>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<io::Result<()>> {
        let polled = poll(Pin::new(&mut socket.stream), cx);
        socket.writer = polled.is_pending().then(|| cx.waker().clone());
        polled.map_err(to_io)
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let shared = Arc::clone(&this.socket);
        let mut socket = lock(&shared);
        ready!(Self::poll(&mut socket, cx, Sink::poll_ready))?;
        let room = MAX_FRAGMENT.saturating_sub(this.line.len());
        let part = buf.get(..room).unwrap_or(buf);
        let Some(at) = memchr::memchr(b'\n', part) else {
            this.line.extend_from_slice(part);
            if this.line.len() >= MAX_FRAGMENT {
                this.send(&mut socket, false)?;
            }
            return Poll::Ready(Ok(part.len()));
        };
        this.line.extend_from_slice(part.get(..at).unwrap_or_default());
        this.send(&mut socket, true)?;
        Poll::Ready(Ok(at + 1))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll(&mut lock(&self.socket), cx, Sink::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut socket = lock(&this.socket);
        if !this.closing {
            ready!(Self::poll(&mut socket, cx, Sink::poll_ready))?;
            // The server's answer to this is no news.
            let _ = this.end.set(TransportError::closed());
            this.closing = true;
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            Pin::new(&mut socket.stream).start_send(Message::Close(Some(frame))).map_err(to_io)?;
        }
        Self::poll(&mut socket, cx, Sink::poll_flush)
    }
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        // The server's close frame came; the reader says why.
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing) => {
            io::ErrorKind::BrokenPipe.into()
        }
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
