//! Changes on their way to one reader: a bounded queue in which nothing waits twice.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bowline_protocol::SubscriptionFilter;

use super::{Change, Kind, SubscriptionEnd};

/// How many changes are kept for a reader that is slow.
const MAX_CHANGES: usize = 1024;
/// How many bytes of changes are kept for it; one larger change is kept alone.
const MAX_BYTES: usize = 8 << 20;

/// What a subscription asks for, and what it was told and nobody has read yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) asked: SubscriptionFilter,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    granted: SubscriptionFilter,
    changes: VecDeque<Change>,
    bytes: usize,
    missed: u64,
    end: Option<SubscriptionEnd>,
    waker: Option<Waker>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Next {
    Change(Change),
    End(SubscriptionEnd),
}

impl Inbox {
    pub(crate) fn new(asked: SubscriptionFilter) -> Self {
        Self { asked, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the server grants of what was asked.
    pub(crate) fn grant(&self, granted: SubscriptionFilter) {
        self.state().granted = granted;
    }

    pub(crate) fn granted(&self) -> SubscriptionFilter {
        self.state().granted.clone()
    }

    /// Whether anything of this kind is granted.
    pub(super) fn grants(&self, kind: Kind) -> bool {
        kind.is_in(&self.state().granted)
    }

    /// Whether a change is of what is granted, by what it says itself: in a session nothing else tells.
    pub(crate) fn covers(&self, change: &Change) -> bool {
        let state = self.state();
        match change {
            Change::Tools => Kind::Tools.is_in(&state.granted),
            Change::Prompts => Kind::Prompts.is_in(&state.granted),
            Change::Resources => Kind::Resources.is_in(&state.granted),
            Change::Resource { uri } => {
                state.granted.resource_subscriptions.iter().flatten().any(|whole| is_part(uri, whole))
            }
            _ => false,
        }
    }

    /// Adds a change, unless it waits already. Beyond the bounds the oldest give way, and are counted.
    pub(crate) fn push(&self, change: Change) {
        let mut state = self.state();
        // Only what says no more than that something changed is as good once as twice.
        let is_plain = !matches!(change, Change::Notification { .. });
        if state.end.is_some() || (is_plain && state.changes.contains(&change)) {
            return;
        }
        state.bytes += change.weight();
        state.changes.push_back(change);
        while state.changes.len() > 1 && (state.changes.len() > MAX_CHANGES || state.bytes > MAX_BYTES) {
            if let Some(oldest) = state.changes.pop_front() {
                state.bytes -= oldest.weight();
                state.missed += 1;
            }
        }
        wake(state);
    }

    /// Ends it: the reader gets the end after what waits. The first end counts.
    pub(crate) fn finish(&self, end: SubscriptionEnd) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(end);
            wake(state);
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut state = self.state();
        if state.missed > 0 {
            return Poll::Ready(Next::Change(Change::Missed(std::mem::take(&mut state.missed))));
        }
        if let Some(change) = state.changes.pop_front() {
            state.bytes -= change.weight();
            return Poll::Ready(Next::Change(change));
        }
        // Whoever has read the end asks no more.
        if let Some(end) = state.end.take() {
            return Poll::Ready(Next::End(end));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Whether a URI is another one or lies below it (server/resources: a server may tell of a part of a resource).
fn is_part(uri: &str, whole: &str) -> bool {
    uri.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || whole.ends_with('/') || rest.starts_with(['/', '#', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inbox: &Inbox) -> Vec<Change> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut all = Vec::new();
        while let Poll::Ready(Next::Change(change)) = inbox.poll(&mut cx) {
            all.push(change);
        }
        all
    }

    fn resource(n: usize) -> Change {
        Change::Resource { uri: format!("x://{n}") }
    }

    #[test]
    fn r_03_a_part_of_a_resource_is_known_by_its_uri() {
        for (uri, whole, part) in [
            ("note://1", "note://1", true),
            ("note://1/part", "note://1", true),
            ("note://1#top", "note://1", true),
            ("file:///a/b", "file:///a/", true),
            ("note://12", "note://1", false),
            ("note://2", "note://1", false),
            ("note://1", "note://1/part", false),
        ] {
            assert_eq!(is_part(uri, whole), part, "{uri} of {whole}");
        }
    }

    #[test]
    fn a_flood_keeps_a_bounded_queue_and_is_told() {
        let inbox = Inbox::new(SubscriptionFilter::new());
        for n in 0..100_000 {
            inbox.push(Change::Tools);
            inbox.push(resource(n % 2000));
        }
        assert!(inbox.state().changes.len() <= MAX_CHANGES);
        let all = read(&inbox);
        assert!(matches!(all.first(), Some(Change::Missed(missed)) if *missed > 90_000), "{:?}", all.first());
        assert_eq!(all.len(), 1 + MAX_CHANGES);
        assert_eq!(inbox.state().bytes, 0);
    }

    #[test]
    fn what_waits_is_not_told_twice_and_what_says_more_is() {
        let inbox = Inbox::new(SubscriptionFilter::new());
        let task = Change::Notification { method: "notifications/tasks".into(), params: None };
        for change in [Change::Tools, resource(1), Change::Tools, task.clone(), resource(1), task.clone()] {
            inbox.push(change);
        }
        assert_eq!(read(&inbox), [Change::Tools, resource(1), task.clone(), task]);
        inbox.push(Change::Tools);
        inbox.finish(SubscriptionEnd::Server);
        inbox.finish(SubscriptionEnd::Closed);
        inbox.push(resource(2));
        assert_eq!(read(&inbox), [Change::Tools]);
    }

    #[test]
    fn one_large_change_is_kept_and_many_are_not() {
        let inbox = Inbox::new(SubscriptionFilter::new());
        for n in 0..10 {
            inbox.push(Change::Resource { uri: format!("x://{n}/{}", "y".repeat(MAX_BYTES)) });
        }
        assert_eq!(inbox.state().changes.len(), 1);
        assert_eq!(read(&inbox).first(), Some(&Change::Missed(9)));
    }
}
