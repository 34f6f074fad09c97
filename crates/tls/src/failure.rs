//! Failed handshakes in words.

use std::error::Error as StdError;
use std::io;

use bowline_protocol::excerpt;
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use rustls::{AlertDescription, CertificateError, Error};

/// How deep a cause may lie.
const DEPTH: usize = 16;
/// How much an error shows of what a peer wrote into its certificate.
const SHOWN: usize = 300;

/// What a failure of TLS means, where one is at the bottom of an error; `at` is what the message calls the server.
///
/// [`Sent::No`] where the handshake failed for sure, so that nothing within was read; [`Sent::Maybe`] otherwise.
pub fn explain(error: &(dyn StdError + 'static), at: &str) -> Option<TransportError> {
    let (kind, sent, message) = match bottom(error)? {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            TransportErrorKind::Connect,
            Sent::No,
            format!(
                "the certificate of {at} is not trusted: nobody who is trusted signed it; add its authority with add_root_certificate if you trust it"
            ),
        ),
        Error::InvalidCertificate(why) => {
            let why = excerpt(&why.to_string(), SHOWN);
            let message = format!("the certificate of {at} is not valid: {why}; it is to be corrected there");
            (TransportErrorKind::Connect, Sent::No, message)
        }
        Error::InvalidMessage(_) => {
            let message = format!(
                "the server at {at} speaks no TLS; check the port, or write ws:// or http:// if that is intended"
            );
            (TransportErrorKind::Protocol, Sent::Maybe, message)
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            let message =
                format!("the server at {at} wants a client certificate and got none; give one with client_certificate");
            (TransportErrorKind::Connect, Sent::No, message)
        }
        Error::AlertReceived(alert) => {
            let sent = if refuses(*alert) { Sent::No } else { Sent::Maybe };
            let message =
                format!("the server at {at} refused TLS ({alert:?}); see whether it wants another client certificate");
            (TransportErrorKind::Connect, sent, message)
        }
        other => {
            let message = format!("TLS with {at} failed: {}", excerpt(&other.to_string(), SHOWN));
            (TransportErrorKind::Protocol, Sent::Maybe, message)
        }
    };
    Some(TransportError::new(kind, message).with_sent(sent))
}

/// Whether an alert says that the server did not finish the handshake. A client may have begun to write by then.
const fn refuses(alert: AlertDescription) -> bool {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, DecryptError,
        HandshakeFailure, NoApplicationProtocol, ProtocolVersion, UnknownCA, UnrecognisedName, UnsupportedCertificate,
    };
    matches!(
        alert,
        AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRevoked
            | CertificateUnknown
            // Of a signature, that is: RFC 8446, section 6.2.
            | DecryptError
            | HandshakeFailure
            | NoApplicationProtocol
            | ProtocolVersion
            | UnknownCA
            | UnrecognisedName
            | UnsupportedCertificate
    )
}

/// The error of rustls under an error. What an I/O error wraps is not its source but itself.
fn bottom<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    for _ in 0..DEPTH {
        let error = next?;
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: Error) -> TransportError {
        explain(&io::Error::other(io::Error::other(error)), "h").unwrap()
    }

    #[test]
    fn the_cause_is_found_under_errors_of_io_and_told_with_what_to_do() {
        let unknown = explained(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert_eq!((unknown.kind(), unknown.sent()), (TransportErrorKind::Connect, Sent::No));
        assert!(unknown.to_string().contains("add_root_certificate"), "{unknown}");
        let wanted = explained(Error::AlertReceived(AlertDescription::CertificateRequired));
        assert_eq!((wanted.kind(), wanted.sent()), (TransportErrorKind::Connect, Sent::No));
        assert!(wanted.to_string().contains("client_certificate"), "{wanted}");
        assert_eq!(explained(Error::AlertReceived(AlertDescription::InternalError)).sent(), Sent::Maybe);
        assert!(explain(&io::Error::other("reset"), "h").is_none());
    }

    #[test]
    fn what_a_peer_wrote_is_cut() {
        let error = explained(Error::General(format!("two\nlines {}", "x".repeat(10_000))));
        let text = error.to_string();
        assert!(text.len() < 1000 && !text.contains('\n'), "{text}");
    }
}
