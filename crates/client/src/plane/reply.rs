//! What came back for a call.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use bowline_protocol::{Leniencies, Payload, RawJson, ResultType, noticing};

use crate::call::Call as Running;
use crate::error::Error;
use crate::supervisor::Supervisor;
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
    /// Who tells what is read leniently in it, where no typed request does.
    teller: Option<Box<Teller>>,
}

/// Tells what a reply was read leniently for.
#[derive(Debug)]
struct Teller {
    client: Weak<Supervisor>,
    method: Cow<'static, str>,
    /// What was told already: each result is counted once, however often it is decoded.
    told: Mutex<Leniencies>,
}

impl Teller {
    fn tell(&self, lenient: Leniencies) {
        let fresh = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = lenient.without(*told);
            *told = told.and(lenient);
            fresh
        };
        if let Some(client) = self.client.upgrade() {
            client.lenient(&self.method, fresh);
        }
    }
}

impl Reply {
    /// A reply that does not come from the server of the moment: out of a cache, or made up.
    pub fn new(result: impl Into<Payload>) -> Self {
        Self { payload: result.into(), elapsed: Duration::ZERO, attempts: 0, came: Came::default() }
    }

    pub(crate) fn came(payload: Payload, elapsed: Duration, attempt: u32, run: Running, session: u64) -> Self {
        let Running { asked, watch, rounds, .. } = run;
        let came = Came { session: Some(session), asked, watch, rounds, teller: None };
        Self { payload, elapsed, attempts: attempt, came }
    }

    /// Tells the client from now on what is read leniently in it.
    pub(crate) fn telling(mut self, client: Weak<Supervisor>, method: Cow<'static, str>) -> Self {
        self.came.teller = Some(Box::new(Teller { client, method, told: Mutex::default() }));
        self
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

    /// Decodes the result. What was read leniently in that is told as
    /// [`Fault::Lenient`](bowline_transport::Fault::Lenient) where the call was made by hand, to
    /// [`Client::service`](crate::Client::service); elsewhere the typed request tells it.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) where it has another shape.
    pub fn decode<R: ResultType>(&self) -> Result<R, Error> {
        let (result, lenient) = noticing(|| self.payload.decode());
        if let Some(teller) = self.came.teller.as_ref().filter(|_| !lenient.is_empty()) {
            teller.tell(lenient);
        }
        result.map_err(|error| Error::shape(&error))
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
