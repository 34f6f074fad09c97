//! An answer that a test writes out.

use std::fmt;
use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::mpsc;

use super::body::{Piece, Written};

/// An answer: its head, and its body step by step.
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    /// Whether the connection is closed in place of an answer.
    closes: bool,
}

enum Body {
    /// Sent with its length.
    Whole(Bytes),
    Steps(Vec<Step>),
    Written(Written),
}

enum Step {
    Data(Bytes),
    Wait(Duration),
    Hold,
    Cut,
}

impl Reply {
    /// A status, without a body.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: HeaderMap::new(), body: Body::Whole(Bytes::new()), closes: false }
    }

    /// A body of JSON, with status 200.
    pub fn json(body: impl fmt::Display) -> Self {
        Self::status(200).with("content-type", "application/json").body(body.to_string())
    }

    /// The result of a request, as JSON.
    pub fn result(request: &super::HttpRequest, result: impl fmt::Display) -> Self {
        let id = request.json().get("id").cloned().unwrap_or_default();
        Self::json(format_args!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    }

    /// A stream of events, to be written with [`data`](Self::data).
    pub fn events() -> Self {
        let mut reply = Self::status(200).with("content-type", "text/event-stream");
        reply.body = Body::Steps(Vec::new());
        reply
    }

    /// No answer: the connection is closed.
    pub fn closed() -> Self {
        Self { closes: true, ..Self::status(200) }
    }

    /// Sets the status.
    #[must_use]
    pub fn code(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// Adds a header; one that cannot be written is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_ref()))
        {
            self.headers.append(name, value);
        }
        self
    }

    /// Sets a body that is sent at once, with its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Sends these bytes next. Without a length before, the body is sent in chunks.
    #[must_use]
    pub fn data(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Data(bytes.into()))
    }

    /// Waits before what comes next.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Sends nothing more and leaves the connection open.
    #[must_use]
    pub fn hold(self) -> Self {
        self.step(Step::Hold)
    }

    /// Closes the connection here, in the middle of the body.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// The status; 0 where there is no answer.
    #[cfg(feature = "auth")]
    pub(crate) fn status_code(&self) -> u16 {
        if self.closes { 0 } else { self.status.as_u16() }
    }

    /// Sends what a future writes.
    pub(crate) fn written(mut self, body: Written) -> Self {
        self.body = Body::Written(body);
        self
    }

    fn step(mut self, step: Step) -> Self {
        let mut steps = match self.body {
            Body::Steps(steps) => steps,
            Body::Whole(bytes) if bytes.is_empty() => Vec::new(),
            Body::Whole(bytes) => vec![Step::Data(bytes)],
            Body::Written(_) => Vec::new(),
        };
        steps.push(step);
        self.body = Body::Steps(steps);
        self
    }

    pub(crate) fn into_response(self) -> io::Result<Response<Written>> {
        if self.closes {
            return Err(io::Error::other("closed on purpose"));
        }
        // A length that a test has set itself is a lie on purpose; hyper keeps to the one that is in the headers.
        let body = match self.body {
            Body::Whole(bytes) => {
                let length = bytes.len() as u64;
                Written::new(Some(length), move |out| async move {
                    if !bytes.is_empty() {
                        let _ = out.send(Ok(bytes)).await;
                    }
                })
            }
            Body::Steps(steps) => Written::new(None, move |out| write(steps, out)),
            Body::Written(body) => body,
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

async fn write(steps: Vec<Step>, out: mpsc::Sender<Piece>) {
    for step in steps {
        let sent = match step {
            Step::Data(bytes) => out.send(Ok(bytes)).await,
            Step::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Step::Hold => pending().await,
            Step::Cut => out.send(Err(io::Error::other("cut on purpose"))).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}
