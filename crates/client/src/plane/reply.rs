//! What came back for a call.

use std::time::Duration;

use bowline_protocol::{Payload, RawJson, ResultType};

use crate::call::Call as Running;
use crate::error::Error;
use crate::tasks::{Asked, Watch};

/// What came back for a [`Call`](crate::Call): the server's result, still undecoded.
///
/// A tool that ran and failed is a reply as well: see `CallToolResult::is_error`.
///
/// ```
/// use bowline_client::Reply;
/// use bowline_protocol::{CallToolResult, RawJson};
///
/// // One that a layer answers with by itself.
/// let answer = RawJson::from_serialize(&CallToolResult::text("closed for today"))?;
/// let reply = Reply::new(answer);
/// assert_eq!(reply.decode::<CallToolResult>()?.joined_text(), "closed for today");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reply {
    payload: Payload,
    elapsed: Duration,
    attempts: u32,
    came: Came,
}

/// What a run found out that is nothing to layers.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// The session in which it came; none where it did not come from a server.
    pub(crate) session: Option<u64>,
    pub(crate) asked: Asked,
    pub(crate) watch: Option<Watch>,
    pub(crate) rounds: u32,
}

impl Reply {
    /// A reply that does not come from the server of the moment: out of a cache, or made up.
    pub fn new(result: impl Into<Payload>) -> Self {
        Self { payload: result.into(), elapsed: Duration::ZERO, attempts: 0, came: Came::default() }
    }

    pub(crate) fn came(payload: Payload, elapsed: Duration, attempt: u32, run: Running, session: u64) -> Self {
        let came = Came { session: Some(session), asked: run.asked, watch: run.watch, rounds: run.rounds };
        Self { payload, elapsed, attempts: attempt, came }
    }

    pub(crate) fn into_parts(self) -> (Payload, Came) {
        (self.payload, self.came)
    }

    /// The result.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The reply with another result, for a layer that takes something out of it or marks it. What is known of how it
    /// came stays.
    ///
    /// ```
    /// use bowline_client::Reply;
    /// use bowline_protocol::{CallToolResult, RawJson};
    ///
    /// let reply = Reply::new(RawJson::from_serialize(&CallToolResult::text("the key is 1234"))?);
    /// let reply = reply.with_payload(RawJson::from_serialize(&CallToolResult::text("the key is [redacted]"))?);
    /// assert_eq!(reply.decode::<CallToolResult>()?.joined_text(), "the key is [redacted]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_payload(mut self, result: impl Into<Payload>) -> Self {
        self.payload = result.into();
        self
    }

    /// The result as raw JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) where it turns out not to be JSON.
    pub fn into_raw(self) -> Result<RawJson, Error> {
        self.decode()
    }

    /// Decodes the result.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) where it has another shape.
    pub fn decode<R: ResultType>(&self) -> Result<R, Error> {
        self.payload.decode().map_err(|error| Error::shape(&error))
    }

    /// How long the attempt took that brought it, rounds and visits included; zero where the server was not asked.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How many attempts were begun up to the one that brought it; 0 where the server was not asked.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many rounds of input it took (2026-07-28): what the answers made of it is good for this one call.
    pub const fn rounds(&self) -> u32 {
        self.came.rounds
    }
}
