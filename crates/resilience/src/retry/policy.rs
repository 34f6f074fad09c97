//! Whether there is another attempt, and when: without clock, chance or runtime.

use std::time::Duration;

use bowline_client::{Error, ErrorKind, Safety};
use bowline_transport::Sent;

/// What bounds the attempts of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) max_attempts: u32,
    pub(super) max_wait: Duration,
    pub(super) total: Duration,
}

/// What is known when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Which attempt it was, from 1.
    pub(super) attempt: u32,
    /// The time since the first one began.
    pub(super) elapsed: Duration,
    /// The time that the call has left, if it has a limit.
    pub(super) left: Option<Duration>,
    /// The delay that is due by the number of the attempt, jitter included.
    pub(super) backoff: Duration,
}

/// What becomes of a call whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt after so long, if the budget allows it.
    Again(Duration),
    /// The failure would be the same again.
    Permanent,
    /// It may have done something, and must not do it twice.
    Unsafe,
    /// What could be tried was tried.
    UsedUp(UsedUp),
}

/// What there is no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsedUp {
    Attempts,
    Budget,
    Time,
    /// The server wants to be left alone for longer than anybody waits.
    Wait,
}

impl UsedUp {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts is reached",
            Self::Budget => "the retry budget is spent",
            Self::Time => "no time is left",
            Self::Wait => "the server asks for a longer wait",
        }
    }
}

impl Policy {
    /// `may_pass` is whether the failure is of a kind that may pass.
    pub(super) fn decide(&self, error: &Error, may_pass: bool, safety: Safety, now: &Moment) -> Verdict {
        if !may_pass {
            return Verdict::Permanent;
        }
        if error.sent() != Sent::No && !safety.may_repeat() {
            return Verdict::Unsafe;
        }
        if now.attempt >= self.max_attempts {
            return Verdict::UsedUp(UsedUp::Attempts);
        }
        let asked = error.retry_after();
        if asked.is_some_and(|asked| asked > self.max_wait) {
            return Verdict::UsedUp(UsedUp::Wait);
        }
        let delay = asked.unwrap_or(now.backoff);
        let left = self.total.saturating_sub(now.elapsed);
        if delay >= now.left.map_or(left, |of_call| left.min(of_call)) {
            return Verdict::UsedUp(UsedUp::Time);
        }
        Verdict::Again(delay)
    }
}

/// Whether a failure is of a kind that may pass: no connection, a lost one, an answer that was cut off, silence, or a
/// server that is busy or away (408, 429, 502, 503, 504). An open breaker and a full queue are told at once, since they are there to stop just this.
pub(super) fn may_pass(error: &Error) -> bool {
    match error.kind() {
        // Without the transport's word on it, the client was closed by its owner.
        ErrorKind::Closed => error.transport_error().is_some(),
        ErrorKind::Connect | ErrorKind::Timeout => true,
        // A byte stream that ended within a message, or brought no message.
        ErrorKind::Protocol if error.status().is_none() => error.transport_error().is_some(),
        _ => matches!(error.status(), Some(408 | 429 | 502..=504)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_transport::{TransportError, TransportErrorKind};
    use proptest::prelude::*;

    fn error(sent: Sent, wait: Option<Duration>) -> Error {
        let error = TransportError::new(TransportErrorKind::Closed, "gone").with_sent(sent);
        wait.map_or(error.clone(), |wait| error.with_retry_after(wait)).into()
    }

    fn sent() -> impl Strategy<Value = Sent> {
        prop_oneof![Just(Sent::No), Just(Sent::Maybe), Just(Sent::Yes)]
    }

    fn safety() -> impl Strategy<Value = Safety> {
        prop_oneof![Just(Safety::ReadOnly), Just(Safety::Idempotent), Just(Safety::Unsafe)]
    }

    fn millis() -> impl Strategy<Value = Duration> {
        (0_u64..100_000).prop_map(Duration::from_millis)
    }

    proptest! {
        #[test]
        fn what_may_have_been_sent_and_is_unsafe_is_never_sent_again(
            sent in sent(), safety in safety(), wait in proptest::option::of(millis()), attempt in 1_u32..10,
            elapsed in millis(), left in proptest::option::of(millis()), backoff in millis(), total in millis(),
        ) {
            let policy = Policy { max_attempts: 5, max_wait: Duration::from_secs(30), total };
            let now = Moment { attempt, elapsed, left, backoff };
            match policy.decide(&error(sent, wait), true, safety, &now) {
                Verdict::Again(delay) => {
                    prop_assert!(sent == Sent::No || safety.may_repeat());
                    prop_assert!(attempt < 5);
                    prop_assert_eq!(delay, wait.unwrap_or(backoff));
                    prop_assert!(delay <= Duration::from_secs(30) || wait.is_none());
                    prop_assert!(elapsed + delay < total);
                    prop_assert!(left.is_none_or(|left| delay < left));
                }
                Verdict::Unsafe => prop_assert!(sent != Sent::No && !safety.may_repeat()),
                Verdict::Permanent => prop_assert!(false, "the failure may pass"),
                Verdict::UsedUp(_) => {}
            }
        }
    }

    #[test]
    fn what_will_be_the_same_again_is_permanent() {
        let policy = Policy { max_attempts: 5, max_wait: Duration::MAX, total: Duration::MAX };
        let now = Moment { attempt: 1, elapsed: Duration::ZERO, left: None, backoff: Duration::ZERO };
        let of = |error: &Error| policy.decide(error, may_pass(error), Safety::ReadOnly, &now);
        let by_status = |status: u16| {
            let error = TransportError::new(TransportErrorKind::Protocol, "no").with_status(status);
            of(&error.into())
        };
        for status in [408, 429, 502, 503, 504] {
            assert_eq!(by_status(status), Verdict::Again(Duration::ZERO), "{status}");
        }
        for status in [400, 401, 404, 409, 500, 501] {
            assert_eq!(by_status(status), Verdict::Permanent, "{status}");
        }
        for kind in [TransportErrorKind::Config, TransportErrorKind::TooLarge, TransportErrorKind::NotFound] {
            assert_eq!(of(&TransportError::new(kind, "no").into()), Verdict::Permanent, "{kind:?}");
        }
        assert_eq!(of(&Error::breaker_open("x", Some(Duration::ZERO))), Verdict::Permanent);
        assert_eq!(of(&Error::overloaded("full", None)), Verdict::Permanent);
    }
}
