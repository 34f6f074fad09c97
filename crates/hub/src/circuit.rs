//! When calls to a server that fails are held back: what decides, without I/O or a clock.
//!
//! [`Health`](crate::health::Health) is about connections; a server over HTTP has none that could be lost, and fails call
//! by call.

use std::time::Duration;

use bowline_client::{Error, ErrorKind};
use tokio::time::Instant;

/// When calls to a server that fails are held back.
///
/// Only calls that fail with the connection count, not attempts to connect, nor a caller's own limit on time that is
/// shorter than the client's. A server that answers, be it with an error or with a tool's own `isError`, is there. While calls are held back they fail at once with
/// [`ErrorKind::Unavailable`](bowline_client::ErrorKind::Unavailable), which says when the next one is let through. That
/// one is a trial: if it succeeds all are let through, else the time doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Circuit {
    /// After how many failures in a row. Default 5.
    pub failures: u32,
    /// For how long. Default 10 s.
    pub cool_down: Duration,
    /// What the time never exceeds. Default 5 min.
    pub max_cool_down: Duration,
}

impl Default for Circuit {
    fn default() -> Self {
        Self { failures: 5, cool_down: Duration::from_secs(10), max_cool_down: Duration::from_secs(300) }
    }
}

impl Circuit {
    /// Sets after how many failures in a row calls are held back; at least 1.
    #[must_use]
    pub const fn with_failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Sets for how long, and what that never exceeds.
    #[must_use]
    pub const fn with_cool_down(mut self, time: Duration, max: Duration) -> Self {
        self.cool_down = time;
        self.max_cool_down = max;
        self
    }
}

/// How a call is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admit {
    /// As any.
    Free,
    /// As the one that finds out whether the server is well again.
    Trial,
}

/// The state of a circuit.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: Circuit,
    /// In a row.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    why: Error,
    until: Instant,
    time: Duration,
    /// Whether a trial is under way.
    trying: bool,
}

impl Breaker {
    pub(crate) const fn new(settings: Circuit) -> Self {
        Self { settings, failures: 0, open: None }
    }

    /// Lets a call through, or says until when none is.
    pub(crate) fn admit(&mut self, what: &str, now: Instant) -> Result<Admit, Error> {
        let Some(open) = &mut self.open else { return Ok(Admit::Free) };
        if open.until > now || open.trying {
            let wait = open.until.saturating_duration_since(now);
            return Err(Error::unavailable(what, Some(&open.why), Some(wait)));
        }
        open.trying = true;
        Ok(Admit::Trial)
    }

    /// Whether calls are held back: until when, and why.
    pub(crate) fn held(&self) -> Option<(Instant, &Error)> {
        self.open.as_ref().map(|open| (open.until, &open.why))
    }

    /// A call ended. `true` where that changed whether calls are let through.
    pub(crate) fn ended(&mut self, admit: Admit, outcome: Result<(), &Error>, now: Instant) -> bool {
        match outcome {
            Err(error) if counts(error) => self.failed(admit, error, now),
            Err(error) if says_nothing(error) => {
                self.given_up(admit);
                false
            }
            _ => {
                self.failures = 0;
                // A call from before does not say that the server is well now.
                let closes = admit == Admit::Trial && self.open.is_some();
                if closes {
                    self.open = None;
                }
                closes
            }
        }
    }

    /// A call was given up, and says nothing.
    pub(crate) fn given_up(&mut self, admit: Admit) {
        if let (Admit::Trial, Some(open)) = (admit, &mut self.open) {
            open.trying = false;
        }
    }

    /// Lets calls through again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.open = None;
    }

    fn failed(&mut self, admit: Admit, error: &Error, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let time = match &self.open {
            Some(open) if admit == Admit::Trial => open.time.saturating_mul(2).min(self.settings.max_cool_down),
            // One that began before.
            Some(_) => return false,
            None if self.failures < self.settings.failures.max(1) => return false,
            None => self.settings.cool_down,
        };
        self.open = Some(Open { why: error.clone(), until: now + time, time, trying: false });
        true
    }
}

/// What a failure is; where all attempts of a layer failed, what the last of them was.
pub(crate) fn last_kind(error: &Error) -> ErrorKind {
    match (error.kind(), error.attempts().last()) {
        (ErrorKind::Exhausted, Some(last)) => last.kind,
        (kind, _) => kind,
    }
}

/// Whether a failure is one of the connection, or of a server that says that it cannot.
fn counts(error: &Error) -> bool {
    match last_kind(error) {
        ErrorKind::Connect | ErrorKind::NotFound | ErrorKind::Closed | ErrorKind::Timeout => true,
        ErrorKind::Protocol => error.transport_error().is_some(),
        _ => error.status().is_some_and(|status| status >= 500),
    }
}

/// Whether a failure is of this side's own making, so that it tells nothing of the server.
fn says_nothing(error: &Error) -> bool {
    matches!(
        last_kind(error),
        ErrorKind::Unavailable
            | ErrorKind::Denied
            | ErrorKind::DefinitionChanged
            | ErrorKind::UnknownName
            | ErrorKind::Config
            | ErrorKind::Unsupported
            | ErrorKind::BreakerOpen
            | ErrorKind::Overloaded
            | ErrorKind::Layer
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_client::Attempt;
    use bowline_transport::Sent;
    use proptest::prelude::*;

    fn lost() -> Error {
        Error::shutting_down(Sent::Maybe)
    }

    #[test]
    fn it_opens_after_so_many_in_a_row_and_one_trial_closes_it() {
        let (mut breaker, now) = (Breaker::new(Circuit::default()), Instant::now());
        for n in 1..=5 {
            assert_eq!(breaker.admit("x", now).unwrap(), Admit::Free);
            assert_eq!(breaker.ended(Admit::Free, Err(&lost()), now), n == 5);
        }
        let refused = breaker.admit("server \"a\"", now).unwrap_err();
        assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(10))));
        let later = now + Duration::from_secs(10);
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Trial);
        assert!(breaker.admit("x", later).is_err(), "one trial at a time");
        assert!(breaker.ended(Admit::Trial, Err(&lost()), later));
        assert_eq!(breaker.admit("x", later).unwrap_err().retry_after(), Some(Duration::from_secs(20)));
        let later = later + Duration::from_secs(20);
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Trial);
        assert!(breaker.ended(Admit::Trial, Ok(()), later));
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Free);
    }

    #[test]
    fn a_trial_that_is_given_up_makes_room_for_the_next() {
        let (mut breaker, now) = (Breaker::new(Circuit::default().with_failures(1)), Instant::now());
        breaker.ended(Admit::Free, Err(&lost()), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Trial);
        breaker.given_up(Admit::Trial);
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Trial);
    }

    #[test]
    fn of_a_call_that_a_layer_gave_up_the_last_attempt_counts() {
        let exhausted = |last: Error| {
            let history = vec![Attempt::new(&lost(), Duration::ZERO), Attempt::new(&last, Duration::from_secs(1))];
            last.exhausted("2 attempts", history)
        };
        let (mut breaker, now) = (Breaker::new(Circuit::default().with_failures(2)), Instant::now());
        assert!(!breaker.ended(Admit::Free, Err(&exhausted(lost())), now));
        // Its own breaker says nothing of the server.
        assert!(!breaker.ended(Admit::Free, Err(&exhausted(Error::breaker_open("x", None))), now));
        assert!(breaker.ended(Admit::Free, Err(&exhausted(lost())), now));
        let later = now + Duration::from_secs(10);
        assert_eq!(breaker.admit("x", later).unwrap(), Admit::Trial);
        breaker.ended(Admit::Trial, Err(&exhausted(lost())), later);
        assert!(breaker.admit("x", later).is_err(), "a trial that failed closes nothing");
    }

    proptest! {
        #[test]
        fn fewer_failures_in_a_row_than_the_threshold_never_hold_calls_back(
            outcomes in prop::collection::vec(any::<bool>(), 1..200), threshold in 1_u32..6
        ) {
            let (mut breaker, now) = (Breaker::new(Circuit::default().with_failures(threshold)), Instant::now());
            let mut row = 0;
            for ok in outcomes {
                prop_assert!(breaker.admit("x", now).is_ok());
                let error = lost();
                breaker.ended(Admit::Free, if ok { Ok(()) } else { Err(&error) }, now);
                row = if ok { 0 } else { row + 1 };
                prop_assert_eq!(breaker.admit("x", now).is_err(), row >= threshold);
                if row >= threshold {
                    break;
                }
            }
        }
    }
}
