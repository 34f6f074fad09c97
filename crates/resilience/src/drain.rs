//! An end in order: no new calls, time for those that run, then the end of the connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Call, Client, Error, Reply};
use bowline_transport::{BoxFuture, Sent};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

/// The longest time that a shutdown may be given.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Lets a client be shut down in order: [`shutdown`](Self::shutdown) takes no new calls, gives those that run time to
/// end, cancels the rest, closes the connection, and tells what became of all.
///
/// Outermost, or what is outside of it would be retried and kept waiting. A layer is for one client; a clone is a handle
/// to it.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::{Client, Error};
/// use bowline_resilience::{DrainLayer, recommended};
/// use bowline_transport::Connect;
///
/// async fn serve(connector: impl Connect) -> Result<(), Error> {
///     let drain = DrainLayer::new();
///     let client = Client::builder().layer(drain.clone()).layer(recommended()).connect(connector).await?;
///     // …until a signal comes:
///     let report = drain.shutdown(&client, Duration::from_secs(10)).await;
///     println!("{} calls ended, {} were cancelled", report.ended, report.cancelled);
///     report.closed
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct DrainLayer(Arc<Shared>);

struct Shared {
    phase: watch::Sender<Phase>,
    /// How many calls run.
    running: watch::Sender<usize>,
    ended: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Draining,
    Over,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Open),
            running: watch::Sender::new(0),
            ended: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("phase", &*self.phase.borrow())
            .field("running", &*self.running.borrow())
            .finish_non_exhaustive()
    }
}

/// What became of the calls of a client that was shut down.
#[derive(Debug)]
#[non_exhaustive]
pub struct DrainReport {
    /// How many calls ended by themselves meanwhile, well or not.
    pub ended: u64,
    /// How many had not ended in time, and were cancelled; the server was told.
    pub cancelled: u64,
    /// How many came too late, and were not sent.
    pub refused: u64,
    /// How long it took, the end of the connection included.
    pub took: Duration,
    /// Whether the connection ended in order.
    pub closed: Result<(), Error>,
}

/// What a [`DrainLayer`] counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DrainStats {
    /// How many calls run now.
    pub running: usize,
    /// How many ended by themselves.
    pub ended: u64,
    /// How many a shutdown cancelled.
    pub cancelled: u64,
    /// How many came after the shutdown began.
    pub refused: u64,
}

impl DrainLayer {
    /// The layer; there is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls run.
    pub fn running(&self) -> usize {
        *self.0.running.borrow()
    }

    /// What it counted so far.
    pub fn stats(&self) -> DrainStats {
        DrainStats {
            running: self.running(),
            ended: self.0.ended.load(Ordering::Relaxed),
            cancelled: self.0.cancelled.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    /// Shuts the client down that was built with this layer: no new calls from now on, up to `limit` (a day at most) for
    /// those that run, then the end of the rest and of the connection. A second shutdown waits for the same end, and
    /// counts what is left to count.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the client without new calls, and its connection open.
    pub async fn shutdown(&self, client: &Client, limit: Duration) -> DrainReport {
        let shared = &self.0;
        let began = Instant::now();
        let ended_before = shared.ended.load(Ordering::Relaxed);
        shared.phase.send_if_modified(|phase| {
            let is_first = *phase == Phase::Open;
            if is_first {
                *phase = Phase::Draining;
            }
            is_first
        });
        let mut running = shared.running.subscribe();
        // The sender lives as long as `self`.
        let in_time = timeout_at(began + limit.min(LONGEST), running.wait_for(|running| *running == 0)).await.is_ok();
        if !in_time {
            shared.phase.send_replace(Phase::Over);
            let _ = running.wait_for(|running| *running == 0).await;
        }
        shared.phase.send_replace(Phase::Over);
        let closed = client.close().await;
        let report = DrainReport {
            ended: shared.ended.load(Ordering::Relaxed) - ended_before,
            cancelled: shared.cancelled.load(Ordering::Relaxed),
            refused: shared.refused.load(Ordering::Relaxed),
            took: began.elapsed(),
            closed,
        };
        tracing::info!(report.ended, report.cancelled, report.refused, "a client is shut down");
        report
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = Drain<S>;

    fn layer(&self, inner: S) -> Drain<S> {
        Drain { inner, shared: Arc::clone(&self.0) }
    }
}

/// Calls of a client that can be shut down; made by [`DrainLayer`].
#[derive(Debug, Clone)]
pub struct Drain<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// One call that runs, until it is dropped.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl<S> Service<Call> for Drain<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // Counted before the phase is looked at, so that a shutdown does not miss it.
        shared.running.send_modify(|running| *running += 1);
        let running = Running(Arc::clone(&shared));
        let mut phase = shared.phase.subscribe();
        if *phase.borrow_and_update() != Phase::Open {
            drop(running);
            shared.refused.fetch_add(1, Ordering::Relaxed);
            return Box::pin(std::future::ready(Err(Error::shutting_down(Sent::No))));
        }
        let inner = self.inner.call(call);
        Box::pin(async move {
            let _running = running;
            tokio::select! {
                biased;
                outcome = inner => {
                    shared.ended.fetch_add(1, Ordering::Relaxed);
                    outcome
                }
                _ = phase.wait_for(|phase| *phase == Phase::Over) => {
                    shared.cancelled.fetch_add(1, Ordering::Relaxed);
                    Err(Error::shutting_down(Sent::Maybe))
                }
            }
        })
    }
}
