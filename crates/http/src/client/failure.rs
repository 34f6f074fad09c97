//! Errors of the HTTP library as errors of the transport.

use std::error::Error as StdError;

use bowline_protocol::excerpt;
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use url::Url;

/// Why a request got no answer. `sent` is what its body says.
pub(super) fn of_request(error: reqwest::Error, url: &Url, sent: Sent) -> TransportError {
    let error = error.without_url();
    let (chain, at) = (chain(&error), super::shown(url));
    if let Some(explained) = super::tls::explain(&error, &at) {
        // What a handshake that failed would have carried was read by nobody, whoever had begun to write.
        return explained.clone().with_sent(sent.min(explained.sent())).with_source(error);
    }
    let (kind, message) = if error.is_timeout() {
        (TransportErrorKind::Timeout, format!("{at} did not take the connection in time; check the address"))
    } else if error.is_connect() {
        let kind = if chain.contains("dns error") { TransportErrorKind::NotFound } else { TransportErrorKind::Connect };
        let why = format!("cannot connect to {at}: {}", cause(&error));
        (kind, format!("{why}; check the address, and that the server runs"))
    } else if error.is_builder() {
        (TransportErrorKind::Config, format!("the request to {at} cannot be made: {}", cause(&error)))
    } else {
        let why = format!("{at} closed the connection before it answered: {}", cause(&error));
        (TransportErrorKind::Closed, why)
    };
    TransportError::new(kind, message).with_sent(sent).with_source(error)
}

/// Why a body came to no end. Its head came, so the request was read.
pub(super) fn of_body(error: reqwest::Error, at: &str) -> TransportError {
    let error = error.without_url();
    let (kind, what) = if error.is_decode() && !is_io(&error) {
        (TransportErrorKind::Protocol, "sent a body that is not in its encoding")
    } else {
        (TransportErrorKind::Closed, "broke off in the middle of the answer")
    };
    TransportError::new(kind, format!("{at} {what}: {}", cause(&error))).with_sent(Sent::Yes).with_source(error)
}

/// Whether the connection is to blame. The library calls every fault of a body one of decoding.
fn is_io(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if text.contains("reading a body") || text.contains("end of file before message") || text.contains("reset") {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The innermost cause: what the system or TLS said.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    excerpt(&innermost.to_string(), 200)
}

fn chain(error: &reqwest::Error) -> String {
    let mut texts = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        texts.push_str(": ");
        texts.push_str(&inner.to_string());
        source = inner.source();
    }
    texts
}
