//! The writing side of a session, with the quirks of a server that writes oddly.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::misbehave::Quirk;

/// How many things wait to be written before senders wait.
pub(crate) const QUEUE: usize = 1024;
/// How long coalescing holds messages back before it writes fewer than it wants.
const COALESCE_FOR: Duration = Duration::from_millis(50);
/// How much is written of one flood at a time, in bytes.
const BLOCK: usize = 64 << 10;
/// The length of a line of a flood on standard error, with its newline.
const STDERR_LINE: usize = 200;

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Out {
    /// A line, to be ended.
    Line(Bytes),
    /// Bytes as they are.
    Raw(Bytes),
    /// So many bytes without a newline.
    Fill(usize),
    /// So many bytes of lines on standard error, where it is this process's own.
    Stderr(usize),
    /// The end, with an exit code.
    Close(u8),
}

/// How a server writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Style {
    greeting: Vec<u8>,
    carriage_returns: bool,
    chunks: Option<usize>,
    coalesce: usize,
    stdio: bool,
}

impl Style {
    pub(crate) fn new(quirks: &[Quirk], stdio: bool) -> Self {
        let mut style = Self { stdio, ..Self::default() };
        for quirk in quirks {
            match quirk {
                Quirk::ByteOrderMark => style.greeting.extend_from_slice(b"\xef\xbb\xbf"),
                Quirk::Banner(text) => style.greeting.extend_from_slice(format!("{text}\n").as_bytes()),
                Quirk::CarriageReturns => style.carriage_returns = true,
                Quirk::Chunks(bytes) => style.chunks = Some((*bytes).max(1)),
                Quirk::Coalesce(messages) => style.coalesce = *messages,
                // The others are none of the writer's.
                _ => {}
            }
        }
        style
    }
}

/// Writes what comes until the end is asked for, and gives its exit code.
pub(crate) async fn write(
    mut queue: mpsc::Receiver<Out>,
    mut writer: impl AsyncWrite + Unpin,
    style: &Style,
) -> io::Result<u8> {
    put(&mut writer, &style.greeting, style).await?;
    let mut pending = BytesMut::new();
    let mut next = None;
    loop {
        let out = match next.take() {
            Some(out) => out,
            None => match queue.recv().await {
                Some(out) => out,
                None => Out::Close(0),
            },
        };
        match out {
            Out::Line(line) => {
                pending.extend_from_slice(&line);
                pending.extend_from_slice(if style.carriage_returns { b"\r\n" } else { b"\n" });
                let mut messages = 1;
                // What waits already goes along in one write, as long as it is small.
                while messages < style.coalesce || pending.len() < BLOCK {
                    let more = if messages < style.coalesce {
                        tokio::time::timeout(COALESCE_FOR, queue.recv()).await.ok().flatten()
                    } else {
                        queue.try_recv().ok()
                    };
                    match more {
                        Some(Out::Line(line)) => {
                            pending.extend_from_slice(&line);
                            pending.extend_from_slice(if style.carriage_returns { b"\r\n" } else { b"\n" });
                            messages += 1;
                        }
                        other => {
                            next = other;
                            break;
                        }
                    }
                }
                put(&mut writer, &pending, style).await?;
                pending = BytesMut::new();
            }
            Out::Raw(bytes) => put(&mut writer, &bytes, style).await?,
            Out::Fill(bytes) => {
                let block = vec![b'x'; BLOCK.min(bytes)];
                let mut left = bytes;
                while left > 0 {
                    let part = block.get(..left.min(BLOCK)).unwrap_or_default();
                    put(&mut writer, part, style).await?;
                    left -= part.len();
                }
            }
            Out::Stderr(bytes) => {
                if style.stdio {
                    flood_stderr(tokio::io::stderr(), bytes).await?;
                }
            }
            Out::Close(code) => {
                writer.shutdown().await?;
                return Ok(code);
            }
        }
    }
}

async fn put(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8], style: &Style) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    match style.chunks {
        Some(size) => {
            for chunk in bytes.chunks(size) {
                writer.write_all(chunk).await?;
                writer.flush().await?;
                // Lets the reader see each piece by itself.
                tokio::task::yield_now().await;
            }
        }
        None => {
            writer.write_all(bytes).await?;
            writer.flush().await?;
        }
    }
    Ok(())
}

/// Writes about `bytes` bytes of numbered lines.
pub(crate) async fn flood_stderr(mut stderr: impl AsyncWrite + Unpin, bytes: usize) -> io::Result<()> {
    for n in 1..=bytes.div_ceil(STDERR_LINE) {
        let line = format!("{:.<width$}\n", format!("stderr line {n} "), width = STDERR_LINE - 1);
        stderr.write_all(line.as_bytes()).await?;
    }
    stderr.flush().await
}
