//! Where the body of an answer ends (RFC 9112, section 6.3), without I/O.

use std::io;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};

use super::chunked::{Chunked, Found};
use super::malformed;

/// How much of a body is to come.
#[derive(Debug)]
pub(crate) enum Length {
    /// So many bytes.
    Exact(u64),
    Chunked(Chunked),
    /// All until the connection ends.
    UntilClose,
}

impl Length {
    /// What the head of an answer to a request says, and whether it says so in one way only.
    pub(crate) fn of(
        method: &Method,
        status: StatusCode,
        headers: &HeaderMap,
        version: u8,
    ) -> io::Result<(Self, bool)> {
        // RFC 9110, section 8.6: what these say of a body is what another answer would have had.
        if *method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
            return Ok((Self::Exact(0), true));
        }
        if status == StatusCode::NO_CONTENT {
            // One that claims a body may send it as well.
            let claims =
                headers.contains_key(TRANSFER_ENCODING) || !matches!(content_length(headers), Ok(None | Some(0)));
            return Ok((Self::Exact(0), !claims));
        }
        let length = content_length(headers)?;
        if headers.contains_key(TRANSFER_ENCODING) {
            let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
            let chunked =
                codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
            if version == 0 || !chunked || codings.next().is_some() {
                return Err(malformed("a transfer encoding other than chunked"));
            }
            // The chunks are what counts. Whoever stands between may have read the length, so nothing that comes
            // after this answer can be trusted to be the next one.
            return Ok((Self::Chunked(Chunked::default()), length.is_none()));
        }
        Ok((length.map_or(Self::UntilClose, Self::Exact), true))
    }

    /// Whether all came.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Exact(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose => false,
        }
    }

    /// How many bytes are to come, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Exact(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Looks at what came, and moves what is of the body together.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> io::Result<Found> {
        match self {
            Self::Exact(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                Ok(Found { data: 0..here, used: here })
            }
            Self::Chunked(chunked) => chunked.decode(bytes),
            Self::UntilClose => Ok(Found { data: 0..bytes.len(), used: bytes.len() }),
        }
    }

    /// The connection ended.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::UntilClose => {
                *self = Self::Exact(0);
                Ok(())
            }
            _ if self.is_over() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the body did")),
        }
    }
}

/// The length that a head tells. Told more than once, it has to be the same.
fn content_length(headers: &HeaderMap) -> io::Result<Option<u64>> {
    let mut found = None;
    let values = headers.get_all(CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for text in values {
        let text = text.trim_ascii();
        // What `parse` takes begins with a sign as well.
        let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse::<u64>().ok());
        match length {
            Some(length) if found.is_none_or(|found| found == length) => found = Some(length),
            _ => return Err(malformed("a content length that is none, or more than one")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> io::Result<(Length, bool)> {
        with(&Method::POST, 200, headers, 1)
    }

    fn with(
        method: &Method,
        status: u16,
        headers: &[(&'static str, &'static str)],
        version: u8,
    ) -> io::Result<(Length, bool)> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Length::of(method, StatusCode::from_u16(status).unwrap(), &headers, version)
    }

    #[test]
    fn the_head_says_where_the_body_ends() {
        assert!(matches!(of(&[("content-length", "12")]), Ok((Length::Exact(12), true))));
        assert!(matches!(of(&[("content-length", "12, 12"), ("content-length", "12")]), Ok((Length::Exact(12), true))));
        assert!(matches!(of(&[("transfer-encoding", "Chunked ")]), Ok((Length::Chunked(_), true))));
        assert!(matches!(of(&[]), Ok((Length::UntilClose, true))));
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 304)] {
            let told = with(&method, status, &[("content-length", "7")], 1);
            assert!(matches!(told, Ok((Length::Exact(0), true))), "{method} {status}");
        }
    }

    #[test]
    fn an_answer_without_content_that_claims_some_is_the_last_of_its_connection() {
        for (claim, goes_on) in [
            (("content-length", "0"), true),
            (("x", "y"), true),
            (("content-length", "7"), false),
            (("content-length", "x"), false),
            (("transfer-encoding", "chunked"), false),
        ] {
            let (length, unambiguous) = with(&Method::POST, 204, &[claim], 1).unwrap();
            assert!(matches!(length, Length::Exact(0)) && unambiguous == goes_on, "{claim:?}");
        }
    }

    #[test]
    fn a_body_with_two_ends_is_read_in_chunks_and_is_the_last_of_its_connection() {
        let both = of(&[("content-length", "3"), ("transfer-encoding", "chunked")]);
        assert!(matches!(both, Ok((Length::Chunked(_), false))));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for length in ["", "-1", "+1", "1 2", "0x1", "1,2", "1,", "18446744073709551616"] {
            assert!(of(&[("content-length", length)]).is_err(), "{length:?}");
        }
        assert!(of(&[("content-length", "1"), ("content-length", "2")]).is_err());
        for coding in ["gzip", "gzip, chunked", "chunked, chunked", "chunked;q=1", "identity", "xchunked"] {
            assert!(of(&[("transfer-encoding", coding)]).is_err(), "{coding:?}");
        }
        assert!(of(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]).is_err());
        // HTTP/1.0 has no chunks.
        assert!(with(&Method::POST, 200, &[("transfer-encoding", "chunked")], 0).is_err());
    }

    #[test]
    fn an_end_is_the_end_where_nothing_else_is() {
        let mut until_close = Length::UntilClose;
        assert!(!until_close.is_over());
        until_close.end().unwrap();
        assert!(until_close.is_over());
        for mut cut in [Length::Exact(1), Length::Chunked(Chunked::default())] {
            assert_eq!(cut.end().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        Length::Exact(0).end().unwrap();
    }

    #[test]
    fn no_more_than_the_body_is_taken() {
        let mut length = Length::Exact(5);
        assert_eq!(length.take(&mut [b'x'; 3]).unwrap(), Found { data: 0..3, used: 3 });
        assert_eq!(length.left(), Some(2));
        assert_eq!(length.take(&mut [b'x'; 9]).unwrap(), Found { data: 0..2, used: 2 });
        assert!(length.is_over());
    }
}
