//! One connection: what comes goes to the mock server, what that says goes out as frames.
//!
//! Frames are read by the codec, whose own answers go nowhere, and written by hand, right or wrong.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Incoming, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Shared;
use super::misbehave::{self, Out, WebSocketMisbehaviour};
use super::seen::{ControlFrame, UpgradeRequest};
use super::upgrade::{self, Next};

/// How many bytes wait between the connection and the session, in each direction.
const PIPE_BYTES: usize = 64 << 10;
/// How many writes wait.
const QUEUE: usize = 16;
/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 256 << 20;

/// Serves a connection until either side ends it. How it ended is the client's to see.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin, number: u64, shared: &Shared) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let Some((head, rest)) = upgrade::read(&mut reader).await else { return };
    let request = UpgradeRequest { connection: number, head };
    shared.seen.request(request.clone());
    let mut begin = match upgrade::next(&shared.options, &request) {
        Next::Switch(answer) => answer,
        Next::Hold(answer) => {
            let _ = writer.write_all(&answer).await;
            let _ = writer.flush().await;
            // Until the client hangs up; whatever it says now.
            let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
            return;
        }
        Next::HangUp => return,
    };
    if let Some(greeting) = &shared.options.greeting {
        begin.extend(misbehave::text(greeting.clone()));
    }
    if writer.write_all(&begin).await.is_err() || writer.flush().await.is_err() {
        return;
    }
    if shared.options.deaf {
        let _held = (reader, writer);
        return pending().await;
    }
    let config = WebSocketConfig::default().max_frame_size(Some(MAX_MESSAGE)).max_message_size(Some(MAX_MESSAGE));
    let reader = tokio::io::join(reader, tokio::io::sink());
    let frames = WebSocketStream::from_partially_read(reader, rest, Role::Server, Some(config)).await;
    Connection { number, shared, faults: Mutex::default(), closed: AtomicBool::new(false) }.run(frames, writer).await;
}

struct Connection<'a> {
    number: u64,
    shared: &'a Shared,
    /// What is to go wrong with the answers to the requests that came.
    faults: Mutex<HashMap<RequestId, Vec<WebSocketMisbehaviour>>>,
    /// Whether no frame may be sent any more.
    closed: AtomicBool,
}

impl Connection<'_> {
    async fn run<R>(&self, frames: WebSocketStream<R>, writer: impl AsyncWrite + Send + Unpin)
    where
        R: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let session = async {
            let (reader, writer) = tokio::io::split(theirs);
            let _ = self.shared.server.serve(reader, writer).await;
        };
        // Ends with the connection; the session then finds its pipe closed, and ends as well.
        let connection = async move {
            let (output, input) = tokio::io::split(ours);
            let (out, queue) = mpsc::channel(QUEUE);
            let (vanish, vanished) = oneshot::channel();
            let talk = async {
                tokio::join!(
                    self.hear(frames, input, out.clone()),
                    self.speak(BufReader::new(output), out),
                    write(queue, writer, vanish)
                )
            };
            tokio::select! {
                biased;
                Ok(()) = vanished => {}
                _ = talk => {}
            }
        };
        tokio::join!(session, connection);
    }

    /// Passes messages on, and answers what is no message.
    async fn hear<R>(&self, mut frames: WebSocketStream<R>, mut input: impl AsyncWrite + Unpin, out: mpsc::Sender<Out>)
    where
        R: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(Ok(frame)) = frames.next().await {
            match frame {
                // A session that has ended hears nothing.
                Frame::Text(text) => drop(input.write_all(&self.line(text.as_bytes())).await),
                Frame::Ping(data) => {
                    self.see(ControlFrame::Ping(data.clone()));
                    if self.shared.options.pongs && !self.closed.load(Ordering::Relaxed) {
                        let _ = out.send(Out::Frames(misbehave::pong(data))).await;
                    }
                }
                Frame::Pong(data) => self.see(ControlFrame::Pong(data)),
                Frame::Close(close) => {
                    let code = close.as_ref().map(|close| u16::from(close.code));
                    let reason = close.map(|close| close.reason.to_string()).unwrap_or_default();
                    self.see(ControlFrame::Close(code, reason));
                    if !self.closed.swap(true, Ordering::Relaxed) {
                        let _ = out.send(Out::Frames(misbehave::close(code.unwrap_or(1000), ""))).await;
                    }
                    break;
                }
                // Nothing of this workspace sends such.
                Frame::Binary(_) | Frame::Frame(_) => {}
            }
        }
        let _ = input.shutdown().await;
        // The connection is there until the client hangs up, whatever it still says.
        let _ = tokio::io::copy(&mut frames.into_inner(), &mut tokio::io::sink()).await;
    }

    fn see(&self, frame: ControlFrame) {
        self.shared.seen.control(self.number, frame);
    }

    /// A message as the line that the session reads, noted if its answer is to go wrong.
    fn line(&self, message: &[u8]) -> Vec<u8> {
        if let Ok(Incoming::Message(Message::Request(request))) = frame::decode(&Bytes::copy_from_slice(message)) {
            let faults = lock(&self.shared.rules).matching(&request.method);
            if !faults.is_empty() {
                lock(&self.faults).insert(request.id, faults);
            }
        }
        // A message may be spread over lines; the session reads by lines.
        let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        message.iter().map(blank).chain([b'\n']).collect()
    }

    /// Sends each line of the session as a message, and goodbye at its end.
    async fn speak(&self, mut lines: impl AsyncBufReadExt + Unpin, out: mpsc::Sender<Out>) {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let message = Bytes::copy_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
            if self.closed.load(Ordering::Relaxed) {
                continue;
            }
            let (outs, last) = misbehave::answer(&message, &self.faults_of(&message));
            if last {
                self.closed.store(true, Ordering::Relaxed);
            }
            for one in outs {
                let _ = out.send(one).await;
            }
        }
        if !self.closed.swap(true, Ordering::Relaxed) {
            let _ = out.send(Out::Frames(misbehave::close(1000, ""))).await;
        }
        let _ = out.send(Out::End).await;
    }

    /// What is to go wrong with a message, if it is an answer.
    fn faults_of(&self, message: &Bytes) -> Vec<WebSocketMisbehaviour> {
        // Most have nothing wrong, and need no look.
        if lock(&self.faults).is_empty() {
            return Vec::new();
        }
        match frame::decode(message) {
            Ok(Incoming::Message(Message::Response(response))) => {
                response.id.and_then(|id| lock(&self.faults).remove(&id)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// Writes until the end; says when the connection is to vanish, or has.
async fn write(mut queue: mpsc::Receiver<Out>, mut writer: impl AsyncWrite + Unpin, vanish: oneshot::Sender<()>) {
    while let Some(out) = queue.recv().await {
        let written = match out {
            Out::Frames(bytes) => writer.write_all(&bytes).await.is_ok() && writer.flush().await.is_ok(),
            Out::End => {
                let _ = writer.shutdown().await;
                return;
            }
            Out::Vanish => false,
        };
        if !written {
            // Nobody listens where the connection has ended already.
            let _ = vanish.send(());
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
