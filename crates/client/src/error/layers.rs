//! What layers make errors of: their own verdicts, the history of attempts, and errors of others.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{ErrorObject, excerpt};
use bowline_transport::Sent;

use super::{Error, ErrorKind};
use crate::reconnect::Reconnect;

/// An error of whatever type, as layers of others give it.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// How much of the text of each failed attempt is kept, in bytes.
const EXCERPT: usize = 300;

/// One attempt at a call that failed; see [`Error::attempts`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// When it failed, counted from the beginning of the first one.
    pub after: Duration,
    /// How it failed.
    pub kind: ErrorKind,
    /// Whether it may have reached the server.
    pub sent: Sent,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What its error said, at most some 300 bytes.
    pub message: String,
}

impl Attempt {
    /// What is kept of an attempt that failed `after` the first one had begun.
    pub fn new(error: &Error, after: Duration) -> Self {
        let message = excerpt(&error.0.message, EXCERPT);
        Self { after, kind: error.kind(), sent: error.sent(), status: error.status(), message }
    }
}

impl Error {
    /// A call that a breaker did not let through: [`ErrorKind::BreakerOpen`]. `what` is the server or tool, and
    /// `retry_after` when the next attempt is let through.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bowline_client::{Error, ErrorKind};
    ///
    /// let error = Error::breaker_open("the server", Some(Duration::from_secs(15)));
    /// assert_eq!(error.kind(), ErrorKind::BreakerOpen);
    /// assert!(error.is_retryable());
    /// assert_eq!(error.to_string(), "the breaker of the server is open after failures; try again in 15s");
    /// ```
    pub fn breaker_open(what: &str, retry_after: Option<Duration>) -> Self {
        let next = match retry_after {
            Some(wait) if wait.is_zero() => String::from("a call is trying it out, so try again soon"),
            // Nobody needs the nanoseconds.
            Some(wait) => format!("try again in {:?}", rounded(wait)),
            None => String::from("it stays so until it is reset"),
        };
        let what = excerpt(what, EXCERPT);
        let error = Self::new(ErrorKind::BreakerOpen, format!("the breaker of {what} is open after failures; {next}"));
        error.with_retry_after(retry_after)
    }

    /// A call that found a limit of this side reached: [`ErrorKind::Overloaded`]. `what` says which limit, and what to
    /// do.
    pub fn overloaded(what: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self::new(ErrorKind::Overloaded, what).with_retry_after(retry_after)
    }

    /// A call to one of many servers that is down: [`ErrorKind::Unavailable`]. `what` is the server, `why` how it failed
    /// last, and `retry_after` when it is tried again; none where it is not by itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bowline_client::{Error, ErrorKind};
    ///
    /// let why = Error::overloaded("the limit of 2 servers is reached", None);
    /// let error = Error::unavailable("server \"files\"", Some(&why), Some(Duration::from_secs(4)));
    /// assert_eq!(error.kind(), ErrorKind::Unavailable);
    /// assert!(error.to_string().contains("it is tried again in 4s"), "{error}");
    /// ```
    pub fn unavailable(what: &str, why: Option<&Self>, retry_after: Option<Duration>) -> Self {
        let next = match retry_after {
            Some(wait) if wait.is_zero() => String::from("it is being tried, so ask again soon"),
            Some(wait) => format!("it is tried again in {:?}", rounded(wait)),
            None => String::from("it is not tried again by itself; mend it, then retry it by hand"),
        };
        let what = excerpt(what, EXCERPT);
        let mut this = Self::new(ErrorKind::Unavailable, format!("{what} is down; {next}"));
        if let Some(why) = why {
            this.0.message.push_str(&format!("; why: {}", excerpt(&why.0.message, EXCERPT)));
            this.0.stderr.clone_from(&why.0.stderr);
            this.0.source = Some(Arc::new(why.clone()));
        }
        this.with_retry_after(retry_after)
    }

    /// Settings that make no sense: [`ErrorKind::Config`]. `what` names the setting, and says what it may be.
    ///
    /// ```
    /// use bowline_client::{Error, ErrorKind};
    ///
    /// let error = Error::config("pool: connections is 0; set 1 to 64");
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn config(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, what)
    }

    /// A call of what may not be used here: [`ErrorKind::Denied`]. `what` says what it is, and which rule leaves it out.
    pub fn denied(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, what)
    }

    /// A call of what is described otherwise than it was when it was pinned: [`ErrorKind::DefinitionChanged`]. `what` says
    /// what it is, and what to do.
    pub fn definition_changed(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::DefinitionChanged, what)
    }

    /// Adds what is behind the error, for whoever looks for it ([`source`](StdError::source)). It takes the place of what
    /// was there.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same failure with another answer of the server, for a layer that takes something out of it; nothing where no
    /// server answered.
    ///
    /// ```
    /// use bowline_client::Error;
    ///
    /// fn without_data(error: Error) -> Error {
    ///     match error.server_error().cloned() {
    ///         Some(mut answer) => {
    ///             answer.data = None;
    ///             error.with_server_error(answer)
    ///         }
    ///         None => error,
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn with_server_error(mut self, answer: ErrorObject) -> Self {
        if let Some(object) = &mut self.0.server {
            self.0.message = format!("the server answered {answer}");
            *object = answer;
        }
        self
    }

    /// A call by a name that nobody has: [`ErrorKind::UnknownName`]. `what` says which, and what to do.
    pub fn unknown_name(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::UnknownName, what)
    }

    /// A deadline of a layer: [`ErrorKind::Timeout`].
    pub fn deadline(limit: Duration, sent: Sent) -> Self {
        Self::timeout("no answer", limit, sent)
    }

    /// A call that belongs to a session which is no more: [`ErrorKind::Closed`]. Nothing was sent, and it must not go to
    /// another session.
    pub fn session_ended() -> Self {
        Self::new(ErrorKind::Closed, "the session that this belongs to has ended; begin anew what was begun in it")
    }

    /// A call that ends because this side shuts down: [`ErrorKind::Closed`].
    pub fn shutting_down(sent: Sent) -> Self {
        Self::new(ErrorKind::Closed, "the client shuts down; connect again").with_sent(sent)
    }

    /// A call that a layer refuses for a reason of its own: [`ErrorKind::Layer`]. It was not sent.
    pub fn refused_by_layer(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Layer, what)
    }

    /// The error of a layer, which may be one of ours in a box.
    pub(crate) fn from_layer(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(ours) => *ours,
            Err(other) => {
                let what = excerpt(&other.to_string(), EXCERPT);
                // Whether the layer gave up before or after the call went out only the layer knows.
                let mut this = Self::new(ErrorKind::Layer, format!("a layer failed: {what}")).with_sent(Sent::Maybe);
                this.0.source = Some(Arc::from(other));
                this
            }
        }
    }

    /// The last error of a call that was given up: [`ErrorKind::Exhausted`]. What the last attempt's error says of
    /// status, code and wait stays. `why` is what was used up.
    #[must_use]
    pub fn exhausted(self, why: &str, attempts: Vec<Attempt>) -> Self {
        let mut this = self.with_attempts(attempts);
        let (tried, last) = (this.0.attempts.len(), std::mem::take(&mut this.0.message));
        this.0.message = format!("gave up after {tried} attempts ({why}): {last}");
        this.with_kind(ErrorKind::Exhausted)
    }

    /// Keeps the history of the attempts that failed, this one included. The verdict on what was sent is then that of
    /// all of them.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.sent = attempts.iter().fold(self.0.sent, |sent, attempt| sent.max(attempt.sent));
        self.0.attempts = attempts;
        self
    }

    /// A server that was started too often: `self` is how it ended last. Nothing was sent.
    pub(crate) fn restarted_too_often(self, policy: &Reconnect, wait: Duration) -> Self {
        let (times, window, wait) = (policy.max_restarts, policy.restart_window, rounded(wait));
        let mut this = self.with_kind(ErrorKind::Connect).with_sent(Sent::No).with_retry_after(Some(wait));
        let last = std::mem::take(&mut this.0.message);
        this.0.message = format!(
            "the server was started {times} times within {window:?} and did not stay, so it is not started again for \
             {wait:?}; find out why it ends, then wait or call Client::retry_now; the last time: {last}"
        );
        this
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// The attempts that failed, in order, where a layer made more than one.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }
}

/// A time in whole milliseconds, rounded up.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_error_comes_out_of_a_box_as_it_went_in() {
        let boxed: BoxError = Box::new(Error::breaker_open("x", None));
        assert_eq!(Error::from_layer(boxed).kind(), ErrorKind::BreakerOpen);
        let other = Error::from_layer(Box::<dyn StdError + Send + Sync>::from("elapsed"));
        assert_eq!((other.kind(), other.sent()), (ErrorKind::Layer, Sent::Maybe));
        assert_eq!(StdError::source(&other).unwrap().to_string(), "elapsed");
    }

    #[test]
    fn the_verdict_on_all_attempts_is_the_worst_of_them() {
        let lost = Error::closed().with_sent(Sent::Maybe);
        let refused = Error::closed();
        let history = vec![Attempt::new(&lost, Duration::ZERO), Attempt::new(&refused, Duration::from_secs(1))];
        let error = refused.exhausted("3 attempts", history);
        assert_eq!((error.kind(), error.sent(), error.attempts().len()), (ErrorKind::Exhausted, Sent::Maybe, 2));
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("gave up after 2 attempts (3 attempts)"), "{error}");
    }
}
