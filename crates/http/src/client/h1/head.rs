//! The heads of requests and answers, without I/O.

use std::io::{self, Write as _};

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::length::Length;
use super::malformed;

/// How many bytes the head of an answer may take.
const MAX_BYTES: usize = 64 << 10;
/// How many headers it may have.
const MAX_HEADERS: usize = 100;

/// Says how long the server keeps a connection open that carries nothing.
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    version: u8,
}

/// Writes the head of a request. Where its body ends is said here, and by no header of the caller.
pub(crate) fn encode(to: &mut Vec<u8>, method: &Method, line: &Uri, headers: &HeaderMap, body: Option<usize>) {
    // Nothing fails that writes into memory.
    let _ = write!(to, "{method} {line} HTTP/1.1\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| ![CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)) {
        to.extend_from_slice(name.as_str().as_bytes());
        to.extend_from_slice(b": ");
        to.extend_from_slice(value.as_bytes());
        to.extend_from_slice(b"\r\n");
    }
    // RFC 9110, section 8.6: these say it also where there is none.
    if body.is_some() || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        let _ = write!(to, "content-length: {}\r\n", body.unwrap_or_default());
    }
    to.extend_from_slice(b"\r\n");
}

/// Takes the head off what came, once all of it is there. `seen` is how much of it was looked at before.
pub(crate) fn take(came: &mut BytesMut, seen: usize) -> io::Result<Option<Head>> {
    // Whoever does not speak HTTP may say nothing that ends.
    if !came.iter().zip(b"HTTP/1.").all(|(came, wanted)| came == wanted) {
        return Err(malformed("something that is not HTTP/1.1"));
    }
    let end = end_of(came, seen);
    if end.unwrap_or(came.len()) > MAX_BYTES {
        return Err(malformed("a head that is too large"));
    }
    let Some(end) = end else { return Ok(None) };
    let bytes = came.split_to(end).freeze();
    let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut room);
    match parsed.parse(&bytes) {
        Ok(httparse::Status::Complete(count)) if count == bytes.len() => {}
        Ok(httparse::Status::Complete(_)) => return Err(malformed("a head that ends in two places")),
        Ok(httparse::Status::Partial) => return Err(malformed("a head that ends too early")),
        Err(httparse::Error::TooManyHeaders) => return Err(malformed("a head with too many headers")),
        Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a head with an {error}"))),
    }
    let (Some(version), Some(status)) = (parsed.version, parsed.code) else {
        return Err(malformed("a head without a status"));
    };
    let status = StatusCode::from_u16(status).map_err(|_| malformed("a status that is none"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        match (HeaderName::from_bytes(header.name.as_bytes()), value) {
            (Ok(name), Ok(value)) => headers.append(name, value),
            _ => return Err(malformed("a header that is none")),
        };
    }
    Ok(Some(Head { status, headers, version }))
}

/// Where a head ends: after its first line that is empty.
fn end_of(came: &[u8], seen: usize) -> Option<usize> {
    // The end may have begun in what was there.
    let from = seen.saturating_sub(3);
    let ends = memchr::memchr_iter(b'\n', came.get(from..)?).map(|at| from + at + 1);
    ends.into_iter().find_map(|at| match came.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

impl Head {
    /// Where the body ends, and whether another answer may come after it over the same connection.
    pub(crate) fn length(&self, method: &Method) -> io::Result<(Length, bool)> {
        let (length, unambiguous) = Length::of(method, self.status, &self.headers, self.version)?;
        let goes_on = unambiguous && self.goes_on() && !matches!(length, Length::UntilClose);
        Ok((length, goes_on))
    }

    /// Whether the server says that the connection goes on.
    fn goes_on(&self) -> bool {
        !says(&self.headers, b"close") && (self.version == 1 || says(&self.headers, b"keep-alive"))
    }

    /// How long the server keeps a connection without a request, in seconds, where it tells.
    pub(crate) fn kept_for(&self) -> Option<u32> {
        options(&self.headers, &KEEP_ALIVE).find_map(|option| {
            let (name, value) = option.split_at_checked(b"timeout=".len())?;
            let seconds = std::str::from_utf8(value).ok().filter(|_| name.eq_ignore_ascii_case(b"timeout="))?;
            seconds.parse().ok()
        })
    }
}

/// Whether a head says this of the connection.
pub(crate) fn says(headers: &HeaderMap, what: &[u8]) -> bool {
    options(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(what))
}

/// What a header lists between commas.
fn options<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    values.map(|option| option.trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> io::Result<Option<(Head, BytesMut)>> {
        let mut came = BytesMut::from(text);
        Ok(take(&mut came, 0)?.map(|head| (head, came)))
    }

    fn goes_on(text: &str) -> bool {
        read(text).unwrap().unwrap().0.length(&Method::POST).unwrap().1
    }

    #[test]
    fn a_request_is_written_as_it_is_meant() {
        let headers = [("host", "h"), ("x-a", "1"), ("x-a", "2"), ("content-length", "9"), ("transfer-encoding", "x")];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = headers.into_iter().collect();
        let written = |method: Method, line, headers: &HeaderMap, body| {
            let mut written = Vec::new();
            encode(&mut written, &method, &Uri::from_static(line), headers, body);
            String::from_utf8(written).unwrap()
        };
        let get = written(Method::GET, "/mcp?a=b", &headers, None);
        assert_eq!(get, "GET /mcp?a=b HTTP/1.1\r\nhost: h\r\nx-a: 1\r\nx-a: 2\r\n\r\n");
        let post = written(Method::POST, "http://h:1/mcp", &HeaderMap::new(), Some(12));
        assert_eq!(post, "POST http://h:1/mcp HTTP/1.1\r\ncontent-length: 12\r\n\r\n");
        let empty = written(Method::POST, "/", &HeaderMap::new(), None);
        assert_eq!(empty, "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
    }

    #[test]
    fn a_head_is_taken_off_and_the_body_left() {
        let (head, left) = read("HTTP/1.1 200 OK\r\nX-A:  1 \r\nx-a: \u{e9}\r\n\r\nbody").unwrap().unwrap();
        assert_eq!((head.status, &left[..]), (StatusCode::OK, &b"body"[..]));
        assert_eq!(head.headers["x-a"], "1");
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
        // Lines that end with LF alone, and a status without words.
        let (head, left) = read("HTTP/1.0 404\nA: b\n\nx").unwrap().unwrap();
        assert_eq!((head.status.as_u16(), &left[..]), (404, &b"x"[..]));
        assert!(read("HTTP/1.1 200 OK\r\na: b\r\n").unwrap().is_none());
    }

    #[test]
    fn what_is_no_head_is_refused_at_once() {
        for text in [
            "SSH-2.0-OpenSSH",
            "\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 2000 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na : c\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
        ] {
            assert_eq!(read(text).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
    }

    #[test]
    fn a_head_is_bounded() {
        let many = "a: b\r\n".repeat(MAX_HEADERS);
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).unwrap().is_some());
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{many}a: b\r\n\r\n")).is_err());
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(MAX_BYTES));
        assert!(read(&long).is_err());
        assert!(read(&format!("{long}\r\n\r\n")).is_err());
    }

    #[test]
    fn a_connection_goes_on_where_both_sides_know_where_the_answer_ends() {
        assert!(goes_on("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(goes_on("HTTP/1.1 204 No Content\r\n\r\n"));
        assert!(goes_on("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n"));
        assert!(!goes_on("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(!goes_on("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n"));
        assert!(!goes_on("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!goes_on("HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n"));
    }

    #[test]
    fn a_server_may_tell_how_long_it_keeps_a_connection() {
        for (told, seconds) in [
            ("timeout=5", Some(5)),
            ("max=100, Timeout=30", Some(30)),
            ("timeout=0", Some(0)),
            ("timeout=", None),
            ("timeout=-1", None),
            ("timeout=99999999999", None),
            ("max=5", None),
            ("", None),
        ] {
            let (head, _) = read(&format!("HTTP/1.1 200 OK\r\nkeep-alive: {told}\r\n\r\n")).unwrap().unwrap();
            assert_eq!(head.kept_for(), seconds, "{told:?}");
        }
    }

    proptest! {
        #[test]
        fn a_head_in_any_pieces_is_the_same_head(
            cuts in proptest::collection::vec(1usize..9, 1..40),
            end in "(\r)?\n",
        ) {
            let text = format!("HTTP/1.1 202 Accepted{end}one: two{end}three: {end}{end}rest");
            let (mut rest, mut cuts, mut came) = (text.as_bytes(), cuts.iter().cycle(), BytesMut::new());
            let head = loop {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                let seen = came.len();
                came.extend_from_slice(piece);
                rest = after;
                if let Some(head) = take(&mut came, seen).unwrap() {
                    break head;
                }
                prop_assert!(!rest.is_empty());
            };
            came.extend_from_slice(rest);
            prop_assert_eq!(&came[..], b"rest");
            prop_assert_eq!((head.status.as_u16(), head.headers.len()), (202, 2));
        }

        #[test]
        fn any_bytes_are_a_head_or_an_error(text in "HTTP/1[.][01] [0-9]{3}[ a\r\n:\x00-\x7f]{0,60}\r\n\r\n") {
            if let Ok(Some((head, _))) = read(&text) {
                let _ = head.length(&Method::POST);
            }
        }
    }
}
