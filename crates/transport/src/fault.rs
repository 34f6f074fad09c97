//! What a peer did wrong without ending the connection.

use std::fmt;

use bowline_protocol::frame::FrameError;
use bowline_protocol::{ErrorObject, Leniency, RequestId, excerpt};

/// Something odd that a peer sent. It is reported once and the connection goes on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// A frame that is no message: a banner, a log line, half a message.
    NotAMessage {
        /// What was wrong with the first of them.
        error: FrameError,
        /// How many of that kind came so far on this connection. Reported at 1 and then at each power of two.
        count: u64,
    },
    /// An answer to nothing that is open: late, repeated or invented.
    UnknownAnswer {
        /// The id it named.
        id: RequestId,
    },
    /// Messages that stood on one line, or in one event or body, where each has one of its own. They were taken. A line
    /// that begins with an answer of the usual form, of more than 8 KiB with more than 8 KiB behind it or with a message
    /// without `"jsonrpc"`, is taken for that answer alone: its call fails, and what stands behind it is lost.
    OnOneLine {
        /// How many there were.
        len: usize,
    },
    /// The last event of a stream without the blank line that ends it. It was taken, as it holds a whole message.
    EventWithoutEnd,
    /// An error without an id: it belongs to the connection, not to a call. In a handshake, one that says
    /// that the request could not be read (-32700, -32600) ends the question that is open, too.
    ErrorWithoutId {
        /// What the server said.
        error: ErrorObject,
    },
    /// A string of digits answered an integer id; it was taken as that id.
    IdEchoedAsString {
        /// The id as it came.
        id: RequestId,
    },
    /// An array of messages, which only 2025-03-26 allows. Its members were handled.
    Batch {
        /// How many members it had.
        len: usize,
    },
    /// Progress came faster than the caller took it; the oldest was dropped.
    ProgressDropped {
        /// How many so far in that exchange. Reported at 1 and then at each power of two.
        count: u64,
    },
    /// A message of a kind that the negotiated revision does not have from a server, such as a request in
    /// 2026-07-28. It was ignored.
    NotInRevision {
        /// The method.
        method: String,
    },
    /// A notification that nobody asked for: a log message without a level, an event of a subscription that is not
    /// open or was not granted. It was ignored.
    Unasked {
        /// The method.
        method: String,
        /// How many so far on this connection. Reported at 1 and then at each power of two.
        count: u64,
    },
    /// Something was not as the specification has it, and was read because it can mean one thing only.
    Lenient {
        /// The method of the request whose result it was in, or of the message.
        method: String,
        /// What was taken as what.
        leniency: Leniency,
        /// How many so far on this connection of its kind, each result counted once. Reported at 1 and then at each
        /// power of two.
        count: u64,
    },
    /// An event of a subscription came before the server acknowledged the subscription (2026-07-28,
    /// basic/patterns/subscriptions). It was taken.
    Unacknowledged {
        /// The method.
        method: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMessage { error, count: 1 } => write!(f, "ignored a line that is no message: {error}"),
            Self::NotAMessage { error, count } => {
                write!(f, "ignored {count} lines that are no messages, such as: {error}")
            }
            Self::UnknownAnswer { id } => write!(f, "ignored an answer to request {id}, which is not open"),
            Self::OnOneLine { len } => {
                write!(f, "took {len} messages from one line, event or body, where each has one of its own")
            }
            Self::EventWithoutEnd => {
                f.write_str("took the last event of a stream, which lacks the blank line that ends an event")
            }
            Self::ErrorWithoutId { error } => write!(f, "the server reported, for no request in particular: {error}"),
            Self::IdEchoedAsString { id } => write!(f, "took the answer with id {id} as that of the integer id"),
            Self::Batch { len } => {
                write!(f, "took {len} messages from an array, which only revision 2025-03-26 allows")
            }
            Self::ProgressDropped { count } => {
                write!(f, "dropped {count} progress notifications that nobody took in time")
            }
            Self::NotInRevision { method } => {
                write!(f, "ignored {}, which servers of this revision do not send", excerpt(method, 80))
            }
            Self::Unasked { method, count } => {
                write!(f, "ignored {} that nobody asked for ({count} so far)", excerpt(method, 80))
            }
            Self::Lenient { method, leniency, count } => {
                write!(f, "took {leniency}, in what came for {} ({count} so far)", excerpt(method, 80))
            }
            Self::Unacknowledged { method } => {
                write!(f, "took {} of a subscription that was not yet acknowledged", excerpt(method, 80))
            }
        }
    }
}

/// Whether the `count`-th of a kind is worth another report: the first, then each power of two.
pub(crate) const fn worth_a_report(count: u64) -> bool {
    count.is_power_of_two()
}
