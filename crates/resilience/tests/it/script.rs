//! A service that does what it is told, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Call, Error, Reply};
use bowline_protocol::{CallToolResult, RawJson};
use bowline_transport::{BoxFuture, Sent, TransportError, TransportErrorKind};
use tokio::time::{Instant, sleep};
use tower_service::Service;

/// What becomes of one call.
pub(crate) enum Step {
    Answer,
    Fail(Error),
    FailAfter(Duration, Error),
    After(Duration),
    Never,
}

/// A clone follows the same script. Beyond its end every call succeeds.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    steps: VecDeque<Step>,
    calls: Vec<(Instant, Call)>,
}

impl Script {
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(Arc::new(Mutex::new(Inner { steps: steps.into_iter().collect(), calls: Vec::new() })))
    }

    pub(crate) fn add(&self, steps: impl IntoIterator<Item = Step>) {
        self.0.lock().unwrap().steps.extend(steps);
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls.len()
    }

    /// What was asked.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.iter().map(|(_, call)| call.method().to_owned()).collect()
    }

    /// Which attempts came.
    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.0.lock().unwrap().calls.iter().map(|(_, call)| call.attempt()).collect()
    }

    /// The times between the calls.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let inner = self.0.lock().unwrap();
        inner.calls.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

impl Service<Call> for Script {
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut inner = self.0.lock().unwrap();
        inner.calls.push((Instant::now(), call));
        let step = inner.steps.pop_front().unwrap_or(Step::Answer);
        Box::pin(async move {
            match step {
                Step::Answer => {}
                Step::Fail(error) => return Err(error),
                Step::FailAfter(time, error) => {
                    sleep(time).await;
                    return Err(error);
                }
                Step::After(time) => sleep(time).await,
                Step::Never => std::future::pending().await,
            }
            Ok(Reply::new(RawJson::from_serialize(&CallToolResult::text("done")).unwrap()))
        })
    }
}

pub(crate) fn lost(sent: Sent) -> Error {
    TransportError::new(TransportErrorKind::Closed, "the connection is gone").with_sent(sent).into()
}

pub(crate) fn status(status: u16, sent: Sent, wait: Option<Duration>) -> Error {
    let error = TransportError::new(TransportErrorKind::Protocol, format!("answered {status}"));
    let error = error.with_status(status).with_sent(sent);
    wait.map_or(error.clone(), |wait| error.with_retry_after(wait)).into()
}

pub(crate) fn tool(name: &str) -> Call {
    let params = RawJson::from(serde_json::json!({ "name": name }));
    Call::new("tools/call").with_params(params)
}
