//! What a peer sent that is of no use to anybody, told in short.

pub(crate) mod astray;
mod cause;

use std::fmt;

use bowline_protocol::{ErrorObject, RequestId};

use self::cause::Cause;

/// What came over a connection and was of no use to anybody: lines that are no messages, a line that does not end,
/// errors without an id, answers to nothing that is open.
///
/// A server that does not answer may have answered in a way that nobody understands: over several lines, in UTF-16,
/// framed as LSP does. So the errors of time-outs and of ends tell it. `Display` is on one line: how many lines there
/// were, one of them in short, made harmless, and what is likely wrong with them.
///
/// Lines are counted for the whole connection, since nobody can tell which call they were for; that there are some is
/// told of a call where one came after it had begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    lines: u64,
    shown: Option<Quote>,
    unfinished: Option<(usize, Quote)>,
    /// The last error without an id.
    error: Option<ErrorObject>,
    /// The id of the last answer to nothing that is open.
    answer: Option<RequestId>,
}

/// A line in short, and what it is.
#[derive(Debug, Clone, PartialEq)]
struct Quote {
    cause: Cause,
    text: String,
}

impl Noise {
    /// How many lines of the connection were no messages so far.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Whether a line has begun that may be a message on its way: where it is, more time may help.
    pub fn is_under_way(&self) -> bool {
        self.unfinished.as_ref().is_some_and(|(_, quote)| quote.cause == Cause::Open)
    }

    /// One of them in short, the one that tells most: at most some 120 bytes and what escapes add to that.
    pub fn line(&self) -> Option<&str> {
        Some(self.shown.as_ref()?.text.as_str())
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut separate = |f: &mut fmt::Formatter<'_>| {
            if std::mem::take(&mut first) { Ok(()) } else { f.write_str("; ") }
        };
        if let Some(Quote { cause, text }) = &self.shown {
            separate(f)?;
            match self.lines {
                1 => write!(f, "a line came that is no message: `{text}` ({cause})")?,
                lines => write!(f, "{lines} lines so far were no messages, such as `{text}` ({cause})")?,
            }
        }
        if let Some((bytes, Quote { cause, text })) = &self.unfinished {
            separate(f)?;
            write!(f, "a line of {bytes} bytes has no end yet: `{text}` ({cause})")?;
        }
        if let Some(error) = &self.error {
            separate(f)?;
            write!(f, "the server reported, for no request in particular: {error}")?;
        }
        if let Some(id) = &self.answer {
            separate(f)?;
            write!(f, "the server answered request {id}, which is not open")?;
        }
        Ok(())
    }
}
