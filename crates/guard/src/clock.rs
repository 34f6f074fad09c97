//! The runtime's clock, for the library that keeps rates: so that it stands still where a test has stopped it.

use std::time::Duration;

use governor::clock::Clock;
use tokio::time::Instant;

/// Tells the time since it was made.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeClock(Instant);

impl RuntimeClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
