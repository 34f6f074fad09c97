//! What is likely wrong with a line that is no message.

use std::fmt;

use bowline_protocol::frame::FrameError;

/// How much of a line is looked at, in bytes.
const LOOK: usize = 1 << 10;

/// Why a line is no message, as far as it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Text of any kind: a banner, a log line.
    Text,
    /// JSON that lacks its end, and was not cut where a line of it would end.
    BreaksOff,
    /// The first line of JSON that is laid out over several.
    Opens,
    /// JSON that is nearly a message.
    Odd(&'static str),
    /// A message with something before or behind it.
    Around,
    /// NUL characters.
    Nul,
    /// One message over several lines.
    SeveralLines,
    /// A header that counts the bytes of the message behind it.
    Framed,
    /// UTF-16.
    Utf16,
    /// Of a line without an end: there is a carriage return where the end should be.
    CarriageReturn,
    /// Of a line without an end: no more than that.
    Open,
}

impl Cause {
    /// How much it tells: what tells more stands for all.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::BreaksOff | Self::Opens | Self::Open => 1,
            Self::Odd(_) => 2,
            Self::Around => 3,
            Self::Nul | Self::CarriageReturn => 4,
            Self::SeveralLines => 5,
            Self::Framed => 6,
            Self::Utf16 => 7,
        }
    }

    /// Whether it is about each line of the peer, finished or not.
    pub(super) const fn is_of_all(self) -> bool {
        matches!(self, Self::Framed | Self::Utf16)
    }

    /// That of a line which could not be read for this reason. Blanks around it are off.
    pub(super) fn of_line(line: &[u8], error: &FrameError) -> Self {
        if let Some(cause) = of_bytes(line) {
            return cause;
        }
        match error {
            FrameError::NotRpc { reason, .. } if has(line, br#""jsonrpc""#) => Self::Odd(reason),
            FrameError::NotJson { .. } if error.breaks_off() && matches!(line.first(), Some(b'{' | b'[')) => {
                match line.last() {
                    Some(b'{' | b'[' | b',' | b':') => Self::Opens,
                    _ => Self::BreaksOff,
                }
            }
            FrameError::NotJson { .. } if has(line, br#""jsonrpc""#) && head(line).contains(&b'{') => Self::Around,
            _ => Self::Text,
        }
    }

    /// That of a member of an array.
    pub(super) const fn of_member(error: &FrameError) -> Self {
        match error {
            FrameError::NotRpc { reason, .. } => Self::Odd(reason),
            _ => Self::Text,
        }
    }

    /// That of a line which has no end yet, by its beginning and its last byte so far.
    pub(super) fn of_unfinished(start: &[u8], last: Option<u8>) -> Self {
        match of_bytes(start) {
            Some(cause) => cause,
            None if last == Some(b'\r') || start.contains(&b'\r') => Self::CarriageReturn,
            None => Self::Open,
        }
    }
}

/// What shows whatever the bytes say.
fn of_bytes(line: &[u8]) -> Option<Cause> {
    let line = head(line);
    let nuls = line.iter().filter(|byte| **byte == 0).count();
    // Half of the bytes of text in UTF-16 are, where it is Latin.
    if nuls >= 3 && nuls * 3 >= line.len() || line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
        return Some(Cause::Utf16);
    }
    if nuls > 0 {
        return Some(Cause::Nul);
    }
    let is_header = line.get(..15).is_some_and(|start| start.eq_ignore_ascii_case(b"content-length:"));
    is_header.then_some(Cause::Framed)
}

fn head(line: &[u8]) -> &[u8] {
    line.get(..LOOK).unwrap_or(line)
}

fn has(line: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(head(line), word).is_some()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "have it log to stderr: here go messages alone",
            Self::BreaksOff | Self::Opens => "json that breaks off",
            Self::Odd(reason) => reason,
            Self::Around => "a message is a line by itself, without prefix or colours; have it log to stderr",
            Self::Nul => "it has nul characters, which no message has",
            Self::SeveralLines => "one message is one line, and this is one over several; have it write json compactly",
            Self::Framed => "the server frames messages as lsp does, by Content-Length; here each is a line by itself",
            Self::Utf16 => "that is utf-16; have it write utf-8",
            Self::CarriageReturn => "lines end with \\n, and \\r alone ends none",
            Self::Open => {
                "if that is all of it, it lacks the newline that ends each message; have it write one, and flush"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::frame;
    use bytes::Bytes;

    use super::*;

    fn cause(line: &[u8]) -> Cause {
        let error = frame::decode(&Bytes::copy_from_slice(line)).expect_err("it is no message");
        Cause::of_line(line, &error)
    }

    #[test]
    fn what_is_wrong_with_a_line_is_seen() {
        let message = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let wide: Vec<u8> = message.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let lines: [(&[u8], Cause); 17] = [
            (b"server ready", Cause::Text),
            (br#"{"level":"info","msg":"ready"}"#, Cause::Text),
            (br#"got {"id":1}"#, Cause::Text),
            (b"{", Cause::Opens),
            (br#"{"jsonrpc": "2.0","#, Cause::Opens),
            (br#"{"jsonrpc":"2.0","id":1,"resu"#, Cause::BreaksOff),
            (
                br#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#,
                Cause::Odd("an id that is neither an integer nor a string that can be sent back"),
            ),
            (br#"{"jsonrpc":"2.0","result":{}}"#, Cause::Odd("a result without an id")),
            (br#"INFO {"jsonrpc":"2.0","id":1,"result":{}}"#, Cause::Around),
            (b"\x1b[32m{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\x1b[0m", Cause::Around),
            (br#"{"jsonrpc":"2.0","id":1,"result":{}} done"#, Cause::Around),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\0", Cause::Nul),
            (b"Content-Length: 83", Cause::Framed),
            (b"content-length:83", Cause::Framed),
            (&wide, Cause::Utf16),
            (b"\xff\xfe{", Cause::Utf16),
            (b"\xfe\xff\0{", Cause::Utf16),
        ];
        for (line, expected) in lines {
            assert_eq!(cause(line), expected, "{}", line.escape_ascii());
        }
        assert_eq!(Cause::of_unfinished(b"{\"id\":1}\r{\"id\"", Some(b'"')), Cause::CarriageReturn);
        assert_eq!(Cause::of_unfinished(b"{\"id\"", Some(b'}')), Cause::Open);
    }
}
