//! Which errors mean that the server cannot be had, rather than that it said no.

use bowline_client::{Error, ErrorKind};
use bowline_transport::Sent;

/// Whether it is worth to look for the answer elsewhere.
pub(crate) fn is_outage(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout | ErrorKind::BreakerOpen => {
            true
        }
        // Where it was sent, it is the reader of its progress that is slow.
        ErrorKind::Overloaded => error.sent() == Sent::No,
        ErrorKind::Exhausted => error.server_error().is_none(),
        ErrorKind::Protocol => error.status().is_none_or(|status| status >= 500 || status == 429),
        _ => false,
    }
}
