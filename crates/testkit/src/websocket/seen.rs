//! What clients did beside sending messages.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// How many requests, and how many control frames, are kept.
const MAX_KEPT: usize = 64 << 10;

/// A request for the upgrade.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeRequest {
    /// The number of its connection, counted from 1.
    pub connection: u64,
    /// The request line and the headers, as they came, with the empty line at the end.
    pub head: String,
}

impl UpgradeRequest {
    /// The path, with its query; empty where there is none.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of a name, in whichever case; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim()).unwrap_or_default()
    }
}

/// The headers may hold credentials.
impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A frame of a client that carries no message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlFrame {
    /// The end, with its code and reason.
    Close(Option<u16>, String),
    /// A question whether the server is there.
    Ping(Bytes),
    /// An answer to such a question.
    Pong(Bytes),
}

/// All of that, of one server.
#[derive(Debug, Default)]
pub(super) struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<UpgradeRequest>,
    controls: VecDeque<(u64, ControlFrame)>,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn request(&self, request: UpgradeRequest) {
        push(&mut self.state().requests, request);
    }

    pub(super) fn control(&self, connection: u64, frame: ControlFrame) {
        push(&mut self.state().controls, (connection, frame));
        self.changed.notify_waiters();
    }

    pub(super) fn requests(&self) -> Vec<UpgradeRequest> {
        self.state().requests.iter().cloned().collect()
    }

    pub(super) fn controls(&self) -> Vec<(u64, ControlFrame)> {
        self.state().controls.iter().cloned().collect()
    }

    pub(super) async fn wait_for(&self, wanted: impl Fn(&ControlFrame) -> bool) -> ControlFrame {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let found = self.state().controls.iter().find(|(_, frame)| wanted(frame)).cloned();
            if let Some((_, frame)) = found {
                return frame;
            }
            changed.await;
        }
    }
}

/// The oldest gives way.
fn push<T>(kept: &mut VecDeque<T>, new: T) {
    if kept.len() == MAX_KEPT {
        kept.pop_front();
    }
    kept.push_back(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart_and_its_headers_are_not_shown() {
        let head = "GET /mcp?a=1 HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer t-SECRET\r\n\r\n".to_owned();
        let request = UpgradeRequest { connection: 1, head };
        assert_eq!((request.path(), request.header("host")), ("/mcp?a=1", "h:1"));
        assert_eq!((request.header("authorization"), request.header("x")), ("Bearer t-SECRET", ""));
        assert!(!format!("{request:?}").contains("SECRET"));
    }
}
