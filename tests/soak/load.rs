//! Very many calls, and the outcome of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline::protocol::{CallToolResult, Revision};
use bowline::transport::{Connect, Sent};
use bowline::{Client, ClientBuilder, Error, Reconnect, Timeouts};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::ledger::Counts;
use crate::system;
use crate::table::Table;

/// How a call may end. Whatever it is, it ends once.
const NONE: u8 = 0;
const RESULT: u8 = 1;
const NOT_SENT: u8 = 2;
const MAYBE_SENT: u8 = 3;
const RECEIVED: u8 = 4;
const TWICE: u8 = 5;

/// How many calls of a group are open at a time.
const WINDOW: usize = 16;
/// How often a group tries to connect before it gives up.
const TRIES: usize = 1_000;

/// The times of each call.
pub(crate) fn timeouts(idle: Duration) -> Timeouts {
    Timeouts::default().with_connect(idle * 10).with_probe(idle).with_idle(idle).with_total(idle * 2)
}

/// Calls and their outcomes.
pub(crate) struct Load {
    outcomes: Vec<AtomicU8>,
    next: AtomicUsize,
    done: AtomicUsize,
    altered: AtomicUsize,
    /// The longest that a call took, in microseconds.
    longest: AtomicU64,
    connects: AtomicUsize,
    /// The memory in use whenever another tenth was done.
    memory: Mutex<Vec<u64>>,
    /// What the errors said, without their numbers, and how often.
    errors: Mutex<BTreeMap<String, usize>>,
    idle: Duration,
}

/// How many different errors are told apart, and how many are told.
const MOST_ERRORS: usize = 30;
const SHOWN_ERRORS: usize = 5;

impl Load {
    pub(crate) fn new(calls: usize, idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            outcomes: (0..calls).map(|_| AtomicU8::new(NONE)).collect(),
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            altered: AtomicUsize::new(0),
            longest: AtomicU64::new(0),
            connects: AtomicUsize::new(0),
            memory: Mutex::default(),
            errors: Mutex::default(),
            idle,
        })
    }

    /// How many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// How long a call may go without an answer.
    pub(crate) const fn idle(&self) -> Duration {
        self.idle
    }

    /// Makes calls until none is left, over a client of its own that is replaced when it ends.
    pub(crate) async fn group<C: Connect + Clone>(
        self: Arc<Self>,
        connect: C,
        revision: Option<Revision>,
    ) -> Result<(), Error> {
        let mut client = None;
        let mut open = FuturesUnordered::new();
        loop {
            let is_usable = client.as_ref().is_some_and(|client: &Client| !client.is_closed());
            if !is_usable && open.is_empty() {
                if let Some(client) = client.take() {
                    // It is closed; this waits for what belongs to it.
                    let _ = client.close().await;
                }
                if self.next.load(Ordering::Relaxed) >= self.outcomes.len() {
                    return Ok(());
                }
                client = Some(self.connect(&connect, revision).await?);
                continue;
            }
            if let Some(client) = client.as_ref().filter(|_| is_usable && open.len() < WINDOW) {
                let n = self.next.fetch_add(1, Ordering::Relaxed);
                if n < self.outcomes.len() {
                    open.push(self.call(client.clone(), n));
                    continue;
                }
            }
            match open.next().await {
                Some(()) => {}
                // Nothing is open and nothing is left.
                None => break,
            }
        }
        if let Some(client) = client {
            // A connection that was cut meanwhile has nothing to close.
            let _ = client.close().await;
        }
        Ok(())
    }

    async fn connect<C: Connect + Clone>(&self, connect: &C, revision: Option<Revision>) -> Result<Client, Error> {
        let mut tries = 0;
        loop {
            self.connects.fetch_add(1, Ordering::Relaxed);
            match builder(self.idle, revision).connect(connect.clone()).await {
                Ok(client) => return Ok(client),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    async fn call(&self, client: Client, n: usize) {
        self.end_of(client.call("add").arg("n", n), n).await;
    }

    /// Makes the call of a number, and keeps how it ends.
    pub(crate) async fn end_of(&self, call: impl IntoFuture<Output = Result<CallToolResult, Error>>, n: usize) {
        let begun = Instant::now();
        let outcome = match call.await {
            Ok(result) if result.is_error() => RECEIVED,
            Ok(result) => {
                if result.joined_text() != n.to_string() {
                    self.altered.fetch_add(1, Ordering::Relaxed);
                }
                RESULT
            }
            Err(error) => {
                self.note(&error);
                match error.sent() {
                    Sent::No => {
                        // Else this task makes hundreds before the one runs that learns of the end of the connection.
                        tokio::task::yield_now().await;
                        NOT_SENT
                    }
                    Sent::Maybe => MAYBE_SENT,
                    Sent::Yes => RECEIVED,
                }
            }
        };
        self.longest.fetch_max(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(place) = self.outcomes.get(n)
            && place.compare_exchange(NONE, outcome, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            place.store(TWICE, Ordering::SeqCst);
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of((self.outcomes.len() / 10).max(1)) {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(system::memory());
        }
    }

    fn note(&self, error: &Error) {
        let text: String = error.to_string().chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format!("{}: {text}", error.sent());
        let is_known = errors.contains_key(&text) || errors.len() < MOST_ERRORS;
        *errors.entry(if is_known { text } else { "others".to_owned() }).or_default() += 1;
    }

    fn count(&self, wanted: impl Fn(usize, u8) -> bool) -> usize {
        let outcomes = self.outcomes.iter().map(|outcome| outcome.load(Ordering::SeqCst));
        outcomes.enumerate().filter(|(n, outcome)| wanted(*n, *outcome)).count()
    }

    /// Holds the outcomes against what the server counted.
    pub(crate) fn judge(&self, world: &str, counts: &Counts, table: &mut Table) {
        let with = |wanted: u8| self.count(|_, outcome| outcome == wanted);
        table.fact(
            world,
            format_args!(
                "{} calls: {} results, {} not sent, {} maybe sent, {} received; {} connections",
                self.outcomes.len(),
                with(RESULT),
                with(NOT_SENT),
                with(MAYBE_SENT),
                with(RECEIVED),
                self.connects.load(Ordering::Relaxed)
            ),
        );
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commonest: Vec<_> = errors.iter().collect();
        commonest.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (text, count) in commonest.into_iter().take(SHOWN_ERRORS) {
            table.fact(world, format_args!("{count:>6} × {text}"));
        }
        drop(errors);
        let twice: Vec<usize> = (0..self.outcomes.len()).filter(|n| counts.of(*n) > 1).take(10).collect();
        if !twice.is_empty() {
            table.fact(world, format_args!("carried out twice: {twice:?}"));
        }
        table.never(world, "calls without an outcome", with(NONE));
        table.never(world, "calls with two outcomes", with(TWICE));
        table.never(world, "calls carried out twice", self.count(|n, _| counts.of(n) > 1));
        table.never(
            world,
            "results of calls that were not carried out",
            self.count(|n, outcome| outcome == RESULT && counts.of(n) == 0),
        );
        table.never(
            world,
            "calls \"not sent\" that were carried out",
            self.count(|n, outcome| outcome == NOT_SENT && counts.of(n) > 0),
        );
    }

    /// What the wire may have done to results, and how long calls may take.
    pub(crate) fn judge_wire(&self, world: &str, garbled: u64, slack: Duration, table: &mut Table) {
        let altered = self.altered.load(Ordering::Relaxed);
        table.row(world, "results that differ, at most as often as garbled", altered, altered as u64 <= garbled);
        // Another connection, once, for calls that never left; and the call itself.
        let bound = self.idle * 2 + slack;
        let longest = Duration::from_micros(self.longest.load(Ordering::Relaxed));
        table.row(
            world,
            &format!("the longest call, at most {bound:?}"),
            format_args!("{longest:.1?}"),
            longest <= bound,
        );
    }

    /// The memory after the first tenth against that at the end.
    pub(crate) fn judge_memory(&self, world: &str, table: &mut Table) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (memory.first(), memory.last()) else {
            return table.failed(world, "too few calls to compare memory");
        };
        let bound = first + first / 10 + (8 << 20);
        let shown = format!("{:+.1} MiB", (*last as f64 - *first as f64) / f64::from(1 << 20));
        table.row(world, "memory, last tenth against first, +10 % + 8 MiB", shown, *last <= bound);
    }
}

pub(crate) fn builder(idle: Duration, revision: Option<Revision>) -> ClientBuilder {
    let builder = Client::builder().timeouts(timeouts(idle));
    match revision {
        // Cuts are planned, and far more of them than servers are started after by default.
        Some(Revision::V2026_07_28) => builder
            .revision(Revision::V2026_07_28)
            .reconnect(Reconnect::default().with_max_restarts(10_000, Duration::from_secs(1))),
        Some(revision) => builder.revision(revision),
        None => builder,
    }
}

/// How calls ended, for a report.
pub(crate) struct Ends {
    pub(crate) results: usize,
    pub(crate) not_sent: usize,
    pub(crate) maybe: usize,
    pub(crate) received: usize,
    pub(crate) missing: usize,
}

impl Load {
    pub(crate) fn ends(&self) -> Ends {
        let with = |wanted: u8| self.count(|_, outcome| outcome == wanted);
        Ends {
            results: with(RESULT),
            not_sent: with(NOT_SENT),
            maybe: with(MAYBE_SENT),
            received: with(RECEIVED),
            missing: with(NONE),
        }
    }

    /// Makes all calls over one client, so many at a time, and does nothing about its end.
    pub(crate) async fn once(self: &Arc<Self>, client: &Client, at_a_time: usize) {
        let calls = futures_util::stream::iter((0..self.outcomes.len()).map(|n| self.call(client.clone(), n)));
        calls.buffer_unordered(at_a_time).collect::<()>().await;
    }
}
