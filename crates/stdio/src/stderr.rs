//! What a server writes to its stderr: always read, never much of it kept.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::excerpt;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{broadcast, watch};

use crate::confided::Mask;

/// The bounds of what is kept.
const MAX_LINE: usize = 4 << 10;
const MAX_LINES: usize = 64;
const MAX_BYTES: usize = 8 << 10;
const MAX_QUEUED: usize = 256;

type Callback = Arc<dyn Fn(&str) + Send + Sync>;

/// Who gets the lines of a connector's servers as they come.
#[derive(Clone)]
pub(crate) struct StderrSinks {
    callbacks: Vec<Callback>,
    lines: broadcast::Sender<Arc<str>>,
}

impl StderrSinks {
    pub(crate) fn add(&mut self, callback: impl Fn(&str) + Send + Sync + 'static) {
        self.callbacks.push(Arc::new(callback));
    }

    pub(crate) fn subscribe(&self) -> StderrLines {
        StderrLines { lines: self.lines.subscribe(), missed: 0 }
    }

    fn line(&mut self, server: &str, line: &str) {
        tracing::debug!(target: "bowline::stdio::stderr", server, "{}", excerpt(line, line.len()));
        // A reader that stopped would leave the server with a full pipe.
        self.callbacks.retain(|callback| {
            let kept = catch_unwind(AssertUnwindSafe(|| callback(line))).is_ok();
            if !kept {
                tracing::error!(server, "a callback for stderr panicked and is not called again");
            }
            kept
        });
        if self.lines.receiver_count() > 0 {
            // Fails where the last receiver has just gone.
            let _ = self.lines.send(line.into());
        }
    }
}

impl Default for StderrSinks {
    fn default() -> Self {
        Self { callbacks: Vec::new(), lines: broadcast::Sender::new(MAX_QUEUED) }
    }
}

/// The lines that the servers of one connector write to stderr, across reconnects.
///
/// Made by [`StdioConnect::stderr_lines`](crate::StdioConnect::stderr_lines). Holds at most 256 lines for a reader
/// that lags behind; older ones are dropped and counted.
#[derive(Debug)]
pub struct StderrLines {
    lines: broadcast::Receiver<Arc<str>>,
    missed: u64,
}

impl StderrLines {
    /// Waits for the next line, without its newline; longer lines are cut after 4 KiB.
    ///
    /// `None` once the connector and all its connections are gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no line.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        loop {
            match self.lines.recv().await {
                Ok(line) => return Some(line),
                Err(broadcast::error::RecvError::Lagged(count)) => self.missed += count,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many lines were dropped because they were not taken in time.
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

/// The last lines of one server's stderr: at most 64 lines and 8 KiB.
#[derive(Clone)]
pub(crate) struct StderrTail(Arc<Shared>);

struct Shared {
    tail: Mutex<Tail>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl StderrTail {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { tail: Mutex::default(), ended: watch::Sender::new(false) }))
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.0.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn text(&self) -> String {
        self.tail().lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Waits until all was read.
    pub(crate) async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Says that nothing (more) is read.
    pub(crate) fn end(&self) {
        self.0.ended.send_replace(true);
    }

    /// Reads `pipe` to its end, whatever comes.
    pub(crate) async fn drain(
        self,
        pipe: impl AsyncRead + Unpin,
        server: String,
        mut sinks: StderrSinks,
        mut mask: Mask,
    ) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Line::default();
        // A pipe that cannot be read has nothing more to say.
        while let Ok(bytes) = pipe.fill_buf().await {
            let taken = bytes.len();
            if taken == 0 {
                break;
            }
            let mut pieces = bytes.split(|byte| *byte == b'\n');
            if let Some(first) = pieces.next() {
                line.append(first);
            }
            for piece in pieces {
                self.take(&mut line, &server, &mut sinks, &mut mask);
                line.append(piece);
            }
            pipe.consume(taken);
        }
        self.take(&mut line, &server, &mut sinks, &mut mask);
        self.end();
    }

    fn take(&self, line: &mut Line, server: &str, sinks: &mut StderrSinks, mask: &mut Mask) {
        if let Some(text) = line.take(mask) {
            sinks.line(server, &text);
            self.tail().push(text);
        }
    }
}

impl Tail {
    fn push(&mut self, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len() + 1;
        }
    }
}

/// A line as it grows, cut at its bound.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    cut: bool,
}

impl Line {
    fn append(&mut self, piece: &[u8]) {
        let room = MAX_LINE - self.bytes.len();
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.cut |= piece.len() > room;
    }

    /// The line, unless it is blank or nothing of it may be shown.
    fn take(&mut self, mask: &mut Mask) -> Option<String> {
        let mut text = String::from_utf8_lossy(&self.bytes).trim_end().to_owned();
        // What is no text has grown threefold.
        self.cut |= text.len() > MAX_LINE;
        text.truncate(text.floor_char_boundary(MAX_LINE));
        self.bytes.clear();
        let cut = std::mem::take(&mut self.cut);
        if text.is_empty() {
            return None;
        }
        let mut text = mask.line(&text, cut)?;
        if cut {
            // What stands in place of a value may be longer.
            text.truncate(text.floor_char_boundary(MAX_LINE));
            text.push('…');
        }
        Some(text)
    }
}

impl fmt::Debug for StderrSinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StderrSinks").field("callbacks", &self.callbacks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn drained(bytes: &[u8]) -> Vec<String> {
        let tail = StderrTail::new();
        tail.clone().drain(bytes, "srv".into(), StderrSinks::default(), Mask::default()).await;
        tail.ended().await;
        let text = tail.text();
        assert!(text.len() <= MAX_BYTES);
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn blank_lines_and_carriage_returns_are_dropped_and_an_open_line_is_kept() {
        assert_eq!(drained(b"one\r\n\n  \n\xfftwo\nthree").await, ["one", "\u{fffd}two", "three"]);
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let lines = drained("line\n".repeat(1000).as_bytes()).await;
        assert_eq!(lines.len(), MAX_LINES);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut() {
        let lines = drained(format!("{}\nshort\n", "x".repeat(1 << 20)).as_bytes()).await;
        assert_eq!(lines, [format!("{}…", "x".repeat(MAX_LINE)), "short".to_owned()]);
    }

    #[tokio::test]
    async fn a_long_line_that_is_no_text_is_cut_like_any_other() {
        let mut bytes = b"before\n".to_vec();
        bytes.extend([0xff; MAX_LINE]);
        let kept = MAX_LINE / "\u{fffd}".len();
        assert_eq!(drained(&bytes).await, ["before".to_owned(), format!("{}…", "\u{fffd}".repeat(kept))]);
    }

    #[test]
    fn events_hold_no_escape_sequences_and_callbacks_get_the_line_as_it_is() {
        let events = Events::default();
        let seen = Arc::new(Mutex::new(String::new()));
        let mut sinks = StderrSinks::default();
        sinks.add({
            let seen = Arc::clone(&seen);
            move |line| seen.lock().unwrap().push_str(line)
        });
        tracing::subscriber::with_default(events.clone(), || sinks.line("srv", "\u{1b}[2Jgone"));
        assert_eq!(*seen.lock().unwrap(), "\u{1b}[2Jgone");
        assert_eq!(*events.0.lock().unwrap(), ["\\u{1b}[2Jgone"]);
    }

    /// The messages of all events.
    #[derive(Clone, Default)]
    struct Events(Arc<Mutex<Vec<String>>>);

    impl tracing::Subscriber for Events {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
                if field.name() == "message" {
                    self.0.lock().unwrap().push(format!("{value:?}"));
                }
            });
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[tokio::test]
    async fn a_callback_that_panics_does_not_end_the_reading() {
        let mut sinks = StderrSinks::default();
        sinks.add(|_| panic!("on purpose"));
        let mut lines = sinks.subscribe();
        let tail = StderrTail::new();
        tail.clone().drain(&b"one\ntwo\n"[..], "srv".into(), sinks, Mask::default()).await;
        assert_eq!(tail.text(), "one\ntwo");
        assert_eq!(lines.next().await.as_deref(), Some("one"));
        assert_eq!(lines.next().await.as_deref(), Some("two"));
        assert_eq!(lines.next().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_lags_learns_how_much_it_missed() {
        let sinks = StderrSinks::default();
        let mut lines = sinks.subscribe();
        StderrTail::new()
            .drain("line\n".repeat(MAX_QUEUED + 10).as_bytes(), "srv".into(), sinks, Mask::default())
            .await;
        let mut count = 0;
        while lines.next().await.is_some() {
            count += 1;
        }
        assert_eq!((count, lines.missed()), (MAX_QUEUED, 10));
    }
}
