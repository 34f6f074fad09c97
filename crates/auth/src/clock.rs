//! What time it is elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AGE, DATE};
use url::{Origin, Url};

/// How far two clocks may differ, in seconds, and still count as the same.
const SAME: i64 = 30;
/// Of how many servers it is known that their time is another one.
const MAX_ORIGINS: usize = 16;

/// The time of day, by the clock of the server that is spoken to, where it refused something and has another time.
///
/// The lives of tokens are not measured by it, but from when they came. What is signed names a time, and a server
/// refuses one that is not its own.
#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<HashMap<Origin, i64>>);

impl Clock {
    /// Seconds since 1970 by this machine's clock.
    pub(crate) fn here() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    /// Seconds since 1970 as the server at an address sees it.
    pub(crate) fn there(&self, server: &Url) -> i64 {
        let ahead = self.lock().get(&server.origin()).copied().unwrap_or(0);
        Self::here().saturating_add(ahead)
    }

    /// Takes the time from an answer by which a server has just refused something. Whether it is another than the one
    /// that was signed with, so that it may help to ask again.
    ///
    /// An answer out of a cache has an old time, and one that is good needs no other.
    pub(crate) fn refused(&self, server: &Url, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if text(AGE).is_some_and(|age| age != "0") {
            return false;
        }
        let Some(date) = text(DATE).and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else { return false };
        let ahead = date.timestamp().as_second().saturating_sub(Self::here());
        let ahead = if ahead.saturating_abs() <= SAME { 0 } else { ahead };
        let mut known = self.lock();
        let origin = server.origin();
        let before = known.get(&origin).copied().unwrap_or(0);
        if before.saturating_sub(ahead).saturating_abs() <= SAME {
            return false;
        }
        if ahead == 0 {
            known.remove(&origin);
        } else {
            if known.len() >= MAX_ORIGINS {
                known.clear();
            }
            known.insert(origin, ahead);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn date(ahead: i64) -> (http::HeaderName, HeaderValue) {
        let at = jiff::Timestamp::from_second(Clock::here() + ahead).unwrap();
        let mut date = String::new();
        jiff::fmt::rfc2822::DateTimePrinter::new().print_timestamp_rfc9110(&at, &mut date).unwrap();
        (DATE, date.parse().unwrap())
    }

    #[test]
    fn a_clock_that_is_wrong_by_an_hour_is_put_right_for_what_is_signed() {
        let (clock, server) = (Clock::default(), "https://as.example/t".parse().unwrap());
        assert!(clock.refused(&server, &HeaderMap::from_iter([date(3600)])));
        assert!((clock.there(&server) - Clock::here() - 3600).abs() <= 2);
        assert!(!clock.refused(&server, &HeaderMap::from_iter([(DATE, "yesterday".parse().unwrap())])));
        assert!(!clock.refused(&server, &HeaderMap::from_iter([date(3610)])), "asking again would bring the same");
        assert!((clock.there(&server) - Clock::here() - 3600).abs() <= 2);
        assert!(clock.refused(&server, &HeaderMap::from_iter([date(1)])), "it was mended there");
        assert!((clock.there(&server) - Clock::here()).abs() <= 2);
    }

    #[test]
    fn the_time_of_a_cache_or_of_another_server_breaks_no_right_clock() {
        let (clock, server) = (Clock::default(), "https://as.example/t".parse().unwrap());
        let cached = HeaderMap::from_iter([date(-3600), (AGE, HeaderValue::from_static("3600"))]);
        assert!(!clock.refused(&server, &cached));
        assert!((clock.there(&server) - Clock::here()).abs() <= 2);
        assert!(clock.refused(&"https://mcp.example/".parse().unwrap(), &HeaderMap::from_iter([date(-3600)])));
        assert!((clock.there(&server) - Clock::here()).abs() <= 2);
    }

    #[test]
    fn what_is_kept_of_servers_is_bounded() {
        let clock = Clock::default();
        for port in 1..100 {
            clock.refused(&format!("https://h:{port}/").parse().unwrap(), &HeaderMap::from_iter([date(3600)]));
        }
        assert!(clock.lock().len() <= MAX_ORIGINS);
    }
}
