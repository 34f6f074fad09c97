//! The question, put to all sources at once.

use std::time::Duration;

use bowline::hub::Hub;
use bowline::resilience::{CallEvent, Order, events, merge};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

/// What came in time.
#[derive(Default)]
pub(crate) struct Answer {
    /// In the order in which they came.
    pub(crate) found: Vec<Found>,
    /// In the order of the sources.
    pub(crate) missing: Vec<Missing>,
}

pub(crate) struct Found {
    pub(crate) source: String,
    pub(crate) text: String,
}

/// A source without an answer.
pub(crate) struct Missing {
    pub(crate) source: String,
    pub(crate) why: String,
    /// The last that it told of its progress.
    pub(crate) so_far: Option<String>,
}

/// Asks them all. At the deadline what is still open is dropped, which cancels it: the servers are told, and stop.
pub(crate) async fn ask(hub: &Hub, sources: &[String], question: &str, time: Duration) -> Answer {
    let deadline = Instant::now() + time;
    let calls = sources.iter().map(|source| events(hub.call(format!("{source}/search")).arg("query", question)));
    // Round robin: a source that tells much keeps no other waiting.
    let mut all = merge(calls, Order::RoundRobin);
    let mut answer = Answer::default();
    let mut open: Vec<Open> = sources.iter().map(|_| Open::default()).collect();
    while let Ok(Some((which, event))) = timeout_at(deadline, all.next()).await {
        let (Some(source), Some(state)) = (sources.get(which), open.get_mut(which)) else { continue };
        match event {
            CallEvent::Progress(progress) => state.so_far = progress.message,
            CallEvent::Done(Ok(result)) if !result.is_error() => {
                state.is_done = true;
                answer.found.push(Found { source: source.clone(), text: result.joined_text() });
            }
            CallEvent::Done(Ok(result)) => state.why = Some(format!("it failed: {}", result.joined_text())),
            CallEvent::Done(Err(error)) => state.why = Some(error.to_string()),
            _ => {}
        }
    }
    for (source, state) in sources.iter().zip(open).filter(|(_, state)| !state.is_done) {
        let why = state.why.unwrap_or_else(|| format!("it had not answered after {} s", time.as_secs()));
        answer.missing.push(Missing { source: source.clone(), why, so_far: state.so_far });
    }
    answer
}

/// What is known of a source meanwhile.
#[derive(Default)]
struct Open {
    is_done: bool,
    why: Option<String>,
    so_far: Option<String>,
}
