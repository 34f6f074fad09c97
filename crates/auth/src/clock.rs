//! What time it is elsewhere.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;

/// How far two clocks may differ, in seconds, and still count as the same.
const SAME: i64 = 30;

/// The time of day, by the clock of the servers where this machine's is wrong.
///
/// The lives of tokens are not measured by it, but from when they came. What is signed names a time, and a server
/// refuses one that is not its own.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicI64);

impl Clock {
    /// Seconds since 1970 by this machine's clock.
    pub(crate) fn here() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    /// Seconds since 1970 as the servers see it.
    pub(crate) fn there(&self) -> i64 {
        Self::here().saturating_add(self.0.load(Ordering::Relaxed))
    }

    /// Takes the time from an answer that has just come.
    pub(crate) fn heard(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else { return };
        let ahead = date.timestamp().as_second().saturating_sub(Self::here());
        self.0.store(if ahead.abs() <= SAME { 0 } else { ahead }, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_by_an_hour_is_put_right_for_what_is_signed() {
        let clock = Clock::default();
        let hour_ahead = jiff::Timestamp::from_second(Clock::here() + 3600).unwrap();
        let mut date = String::new();
        jiff::fmt::rfc2822::DateTimePrinter::new().print_timestamp_rfc9110(&hour_ahead, &mut date).unwrap();
        clock.heard(&HeaderMap::from_iter([(DATE, date.parse().unwrap())]));
        assert!((clock.there() - Clock::here() - 3600).abs() <= 2);
        clock.heard(&HeaderMap::from_iter([(DATE, "yesterday".parse().unwrap())]));
        assert!((clock.there() - Clock::here() - 3600).abs() <= 2);
    }
}
