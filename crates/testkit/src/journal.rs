//! What a peer has received, for tests to look at.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::frame::{self, Incoming, Message};
use bowline_protocol::{RawJson, RequestId};
use bytes::Bytes;
use tokio::sync::Notify;

/// How many lines are kept.
const MAX_LINES: usize = 64 << 10;
/// How many bytes of lines are kept; one larger line is kept alone.
const MAX_BYTES: usize = 256 << 20;

/// One line that a peer received.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// The line without its end.
    pub frame: Bytes,
    /// The message in it, if it is one.
    pub message: Option<Message>,
}

impl Recorded {
    fn new(connection: u64, frame: Bytes) -> Self {
        let message = match frame::decode(&frame) {
            Ok(Incoming::Message(message)) => Some(message),
            _ => None,
        };
        Self { connection, frame, message }
    }

    /// The method; empty for answers and for what is no message.
    pub fn method(&self) -> &str {
        match &self.message {
            Some(Message::Request(request)) => &request.method,
            Some(Message::Notification(notification)) => &notification.method,
            _ => "",
        }
    }

    /// The id of a request or of an answer.
    pub fn id(&self) -> Option<&RequestId> {
        match &self.message {
            Some(Message::Request(request)) => Some(&request.id),
            Some(Message::Response(response)) => response.id.as_ref(),
            _ => None,
        }
    }

    /// The parameters of a request or notification.
    pub fn params(&self) -> Option<&RawJson> {
        match &self.message {
            Some(Message::Request(request)) => request.params.as_ref(),
            Some(Message::Notification(notification)) => notification.params.as_ref(),
            _ => None,
        }
    }

    /// Whether it answers a request.
    pub const fn is_answer(&self) -> bool {
        matches!(self.message, Some(Message::Response(_)))
    }

    /// The line as a tree; null where it is no JSON.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.frame).unwrap_or_default()
    }
}

/// Everything that a peer has received, in order: at most 65,536 lines and 256 MiB, the oldest give way.
///
/// A clone shows the same lines.
///
/// ```
/// use bowline_testkit::MockServer;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = MockServer::builder().build();
/// let input = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
/// server.serve(input.as_bytes(), Vec::new()).await?;
/// assert_eq!(server.journal().wait_for_method("ping").await.id(), Some(&1.into()));
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Journal(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Recorded>,
    /// How many lines are kept; the default where it is not set.
    max_lines: Option<usize>,
    /// The number of the first line that is still kept.
    first: u64,
    bytes: usize,
    begun: u64,
    ended: u64,
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A journal that keeps so many lines, at least one.
    pub(crate) fn keeping(lines: usize) -> Self {
        let journal = Self::default();
        journal.state().max_lines = Some(lines.max(1));
        journal
    }

    /// Counts a new connection and gives its number.
    pub(crate) fn begin(&self) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        state.begun
    }

    pub(crate) fn end(&self) {
        self.state().ended += 1;
        self.0.changed.notify_waiters();
    }

    pub(crate) fn push(&self, connection: u64, frame: Bytes) -> Recorded {
        let line = Recorded::new(connection, frame);
        let mut state = self.state();
        state.bytes += line.frame.len();
        state.lines.push_back(line.clone());
        while state.lines.len() > state.max_lines.unwrap_or(MAX_LINES)
            || (state.bytes > MAX_BYTES && state.lines.len() > 1)
        {
            if let Some(oldest) = state.lines.pop_front() {
                state.bytes -= oldest.frame.len();
                state.first += 1;
            }
        }
        drop(state);
        self.0.changed.notify_waiters();
        line
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<Recorded> {
        self.state().lines.iter().cloned().collect()
    }

    /// The methods so far, in order; answers and what is no message are left out.
    pub fn methods(&self) -> Vec<String> {
        let state = self.state();
        state.lines.iter().map(|line| line.method().to_owned()).filter(|method| !method.is_empty()).collect()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.state().begun
    }

    /// Waits for the first line, now or later, that `wanted` accepts. Waits for ever: bound it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&Recorded) -> bool) -> Recorded {
        self.wait_from(0, wanted).await.1
    }

    /// Waits for the first request or notification of a method. Waits for ever: bound it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for_method(&self, method: &str) -> Recorded {
        self.wait_for(|line| line.method() == method).await
    }

    /// Waits until every connection so far, and at least one, has ended. Waits for ever: bound it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_ended(&self) {
        self.wait(|state| (state.begun > 0 && state.ended == state.begun).then_some(())).await;
    }

    /// The number that the next line will have.
    pub(crate) fn lines_so_far(&self) -> u64 {
        let state = self.state();
        state.first + state.lines.len() as u64
    }

    /// Waits for a line from the `from`-th on; gives the number of the line after it as well.
    pub(crate) async fn wait_from(&self, from: u64, wanted: impl Fn(&Recorded) -> bool) -> (u64, Recorded) {
        self.wait(|state| {
            let skip = usize::try_from(from.saturating_sub(state.first)).unwrap_or(usize::MAX);
            let (at, line) = state.lines.iter().enumerate().skip(skip).find(|(_, line)| wanted(line))?;
            Some((state.first + at as u64 + 1, line.clone()))
        })
        .await
    }

    async fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let changed = self.0.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(found) = look(&self.state()) {
                return found;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Journal").field("lines", &state.lines.len()).field("connections", &state.begun).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_give_way() {
        let journal = Journal::default();
        for n in 0..MAX_LINES + 10 {
            journal.push(1, Bytes::from(n.to_string()));
        }
        let lines = journal.lines();
        assert_eq!((lines.len(), &lines[0].frame), (MAX_LINES, &Bytes::from("10")));
        assert_eq!(journal.lines_so_far(), (MAX_LINES + 10) as u64);
    }

    #[tokio::test]
    async fn waiting_finds_what_came_before_and_what_comes_after() {
        let journal = Journal::default();
        let connection = journal.begin();
        journal.push(connection, Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#));
        assert_eq!(journal.wait_for_method("ping").await.id(), Some(&1.into()));
        let later = tokio::spawn({
            let journal = journal.clone();
            async move { journal.wait_from(1, |line| line.method() == "ping").await }
        });
        tokio::task::yield_now().await;
        journal.push(connection, Bytes::from_static(b"noise"));
        journal.push(connection, Bytes::from_static(br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#));
        let (next, line) = later.await.unwrap();
        assert_eq!((next, line.id()), (3, Some(&2.into())));
        assert_eq!(journal.methods(), ["ping", "ping"]);
        assert_eq!(journal.lines()[1].message, None);
        journal.end();
        journal.wait_ended().await;
    }
}
