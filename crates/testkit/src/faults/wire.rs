//! One connection with faults: what its two directions share.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::FrameError;
use bowline_transport::{Fault, InboundEvent, InboundSender, Sent, Transport, TransportError, TransportErrorKind};
use tokio::sync::watch;
use tokio::time::Instant;

use super::plan::What;
use super::seed::Seed;
use super::{Direction, Faults};

/// How long a message is held back at most, so that another can overtake it.
pub(super) const HELD: Duration = Duration::from_millis(50);

/// One connection.
pub(super) struct Wire {
    pub(super) faults: Faults,
    connection: u64,
    /// None once it was cut.
    inner: Mutex<Option<Arc<dyn Transport>>>,
    /// Where what is odd is told; none once the connection is over.
    events: Mutex<Option<InboundSender>>,
    /// Why it ended.
    end: OnceLock<TransportError>,
    over: watch::Sender<bool>,
    to_server: Way,
    to_client: Way,
}

/// One direction.
#[derive(Debug)]
struct Way {
    seen: AtomicU64,
    /// Counts what was handed on.
    passed: watch::Sender<u64>,
    /// Until when the wire is busy.
    busy: Mutex<Option<Instant>>,
}

impl Way {
    fn new() -> Self {
        Self { seen: AtomicU64::new(0), passed: watch::Sender::new(0), busy: Mutex::new(None) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    pub(super) fn new(faults: Faults, inner: Box<dyn Transport>, events: InboundSender) -> Self {
        let connection = faults.next_connection();
        Self {
            faults,
            connection,
            inner: Mutex::new(Some(Arc::from(inner))),
            events: Mutex::new(Some(events)),
            end: OnceLock::new(),
            over: watch::Sender::new(false),
            to_server: Way::new(),
            to_client: Way::new(),
        }
    }

    const fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    /// The connection behind the faults.
    pub(super) fn inner(&self) -> Result<Arc<dyn Transport>, TransportError> {
        lock(&self.inner).clone().ok_or_else(|| self.error(Sent::No))
    }

    /// What happens to the next message of a direction.
    pub(super) fn decide(&self, direction: Direction) -> (What, Seed) {
        let n = self.way(direction).seen.fetch_add(1, Ordering::Relaxed);
        self.faults.decide(self.connection, direction, n)
    }

    /// Waits until the wire has had time for so many bytes.
    pub(super) async fn throttle(&self, direction: Direction, bytes: usize) {
        let time = self.faults.time_of(direction, bytes);
        if time.is_zero() {
            return;
        }
        let until = {
            let mut busy = lock(&self.way(direction).busy);
            let until = busy.unwrap_or_else(Instant::now).max(Instant::now()) + time;
            *busy = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }

    /// Waits until something was handed on in this direction, or long enough.
    pub(super) fn overtaken(&self, direction: Direction) -> impl Future<Output = ()> + Send + use<> {
        let mut passed = self.way(direction).passed.subscribe();
        async move {
            // Neither a timeout nor the end of the connection is worth telling.
            let _ = tokio::time::timeout(HELD, passed.changed()).await;
        }
    }

    /// Something was handed on.
    pub(super) fn passed(&self, direction: Direction) {
        self.way(direction).passed.send_modify(|count| *count += 1);
    }

    /// Ends the connection now.
    pub(super) fn cut(&self) {
        let error = TransportError::new(
            TransportErrorKind::Closed,
            format!("the connection was cut, as planned (seed {})", self.faults.seed()),
        );
        self.finish(error);
        // Dropped outside of the lock: its drop may do a lot.
        let inner = lock(&self.inner).take();
        drop(inner);
    }

    /// The connection has ended.
    pub(super) fn finish(&self, error: TransportError) {
        let error = self.end.get_or_init(|| error).clone();
        if let Some(events) = lock(&self.events).take() {
            events.set_end(error);
        }
        self.over.send_replace(true);
    }

    /// Waits for the end of the connection.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut over = self.over.subscribe();
        async move {
            // A connection that was dropped is over too.
            let _ = over.wait_for(|over| *over).await;
        }
    }

    /// What ended the connection, for a message of which this much is known.
    pub(super) fn error(&self, sent: Sent) -> TransportError {
        self.end.get().cloned().unwrap_or_else(TransportError::closed).with_sent(sent)
    }

    /// Tells of a message that nobody could read.
    pub(super) fn unreadable(&self) {
        let reason = "a byte of it was changed, as planned".to_owned();
        let error = FrameError::NotJson { reason, excerpt: String::new() };
        self.report(InboundEvent::Fault(Fault::NotAMessage { error, count: 1 }));
    }

    /// Tells of something odd, if there is room.
    pub(super) fn report(&self, event: InboundEvent) {
        if let Some(events) = &*lock(&self.events) {
            events.try_send(event);
        }
    }

    pub(super) fn events(&self) -> Option<InboundSender> {
        lock(&self.events).clone()
    }
}
