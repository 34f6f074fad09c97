//! What went wrong, as errors of the transport.

use std::error::Error as StdError;
use std::io;

use bowline_protocol::excerpt;
use bowline_transport::{Sent, TransportError, TransportErrorKind};

use super::body::{Broken, Lost};
use super::dial::Failure;
use super::tls;

/// How deep a cause may lie.
const DEPTH: usize = 16;

/// Why a request has no connection. Nothing of it was sent.
pub(super) fn of_dial(failure: Failure, at: &str) -> TransportError {
    match failure {
        Failure::Explained(error) => error,
        Failure::Slow => slow(at),
        Failure::Unreached(error) => {
            if let Some(explained) = tls::explain(&error, at) {
                return explained.with_sent(Sent::No).with_source(error);
            }
            if let Some(explained) = causes(&error).find_map(explained_within) {
                return explained.clone();
            }
            if causes(&error).any(is_timeout) {
                return slow(at).with_source(error);
            }
            let kind = if causes(&error).any(|error| error.to_string().contains("dns error")) {
                TransportErrorKind::NotFound
            } else {
                TransportErrorKind::Connect
            };
            let why = cause(&error);
            let message = format!("cannot connect to {at}: {why}; check the address, and that the server runs");
            TransportError::new(kind, message).with_sent(Sent::No).with_source(error)
        }
        #[cfg(feature = "http2")]
        Failure::Handshake(error) => of_request(error, at, Sent::No, true),
    }
}

fn slow(at: &str) -> TransportError {
    let message = format!("{at} did not take the connection in time; check the address");
    TransportError::new(TransportErrorKind::Timeout, message).with_sent(Sent::No)
}

/// Why a request got no answer. `sent` is what its body says; `first` whether the connection had carried none before.
pub(super) fn of_request(error: io::Error, at: &str, sent: Sent, first: bool) -> TransportError {
    if let Some(explained) = tls::explain(&error, at) {
        // What a handshake that failed would have carried was read by nobody, whoever had begun to write. One that
        // carried answers did not fail: what goes wrong later may follow a request that was read.
        let sent = if first { sent.min(explained.sent()) } else { sent };
        return explained.with_sent(sent).with_source(error);
    }
    let (kind, message) = if error.kind() == io::ErrorKind::InvalidData {
        let why = cause(&error);
        (
            TransportErrorKind::Protocol,
            format!("{at} answered with {why}; check that it is the address of a web server"),
        )
    } else {
        let message = format!("{at} closed the connection before it answered: {}", cause(&error));
        (TransportErrorKind::Closed, message)
    };
    TransportError::new(kind, message).with_sent(sent).with_source(error)
}

/// Why a body came to no end. Its head came, so the request was read.
pub(super) fn of_body(broken: Broken, at: &str) -> TransportError {
    let error = match broken {
        Broken::Connection(Lost(error)) if error.kind() == io::ErrorKind::InvalidData => {
            let message = format!("{at} sent {} in the middle of the answer", cause(&error));
            TransportError::new(TransportErrorKind::Protocol, message).with_source(error)
        }
        Broken::Connection(Lost(error)) => {
            let message = format!("{at} broke off in the middle of the answer: {}", cause(&error));
            TransportError::new(TransportErrorKind::Closed, message).with_source(error)
        }
        Broken::Encoding(error) => {
            let message = format!("{at} sent a body that is not in its encoding: {}", cause(&error));
            TransportError::new(TransportErrorKind::Protocol, message).with_source(error)
        }
    };
    error.with_sent(Sent::Yes)
}

/// An error and what caused it, the innermost last.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source()).take(DEPTH)
}

/// What was explained where names are looked up, which speaks of errors of the system alone.
fn explained_within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TransportError> {
    // Its source is that of what it holds, not what it holds.
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// The innermost cause: what the system or TLS said.
fn cause(error: &(dyn StdError + 'static)) -> String {
    excerpt(&causes(error).last().unwrap_or(error).to_string(), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_http_is_told_from_a_connection_that_broke() {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "something that is not HTTP/1.1");
        let refused = of_request(odd(), "http://h/mcp", Sent::Maybe, true);
        assert_eq!((refused.kind(), refused.sent()), (TransportErrorKind::Protocol, Sent::Maybe));
        assert!(refused.to_string().contains("answered with something that is not HTTP/1.1; check"), "{refused}");
        let broken = of_body(Broken::Connection(Lost(odd())), "http://h/mcp");
        assert_eq!((broken.kind(), broken.sent()), (TransportErrorKind::Protocol, Sent::Yes));

        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(of_request(reset(), "h", Sent::Maybe, true).kind(), TransportErrorKind::Closed);
        assert_eq!(of_body(Broken::Connection(Lost(reset())), "h").kind(), TransportErrorKind::Closed);
        let packed = of_body(Broken::Encoding(odd()), "h");
        assert!(packed.to_string().contains("not in its encoding"), "{packed}");
    }

    #[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
    #[test]
    fn a_refusal_after_answers_says_nothing_of_what_was_sent_before_it() {
        use tokio_rustls::rustls::{AlertDescription, Error};

        let refused = || io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(AlertDescription::UnknownCA));
        assert_eq!(of_request(refused(), "h", Sent::Maybe, true).sent(), Sent::No);
        assert_eq!(of_request(refused(), "h", Sent::Maybe, false).sent(), Sent::Maybe);
    }
}
