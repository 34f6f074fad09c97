//! A run as its caller sees it: a stream of what happens.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_transport::BoxFuture;
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::Inner;
use super::conversation::Conversation;
use super::event::{AgentError, AgentEvent, Outcome};
use super::work::Work;

/// How many events wait to be taken. The run goes on once there is room.
const WAITING: usize = 64;

/// A run of an [`Agent`](crate::Agent): a stream of [`AgentEvent`]s that ends with [`AgentEvent::Done`] or an error. It
/// goes on while it is polled, in the task that polls it.
///
/// Dropping it cancels the request to the model and the calls that are open; servers are told. The conversation is left
/// whole: each open call has a result that says so.
#[must_use = "nothing happens until it is polled"]
pub struct Run<'c> {
    work: Option<BoxFuture<'c, Result<Outcome, AgentError>>>,
    events: mpsc::Receiver<AgentEvent>,
    end: Option<Result<Outcome, AgentError>>,
}

/// Where events go.
#[derive(Debug, Clone)]
pub(super) struct Tell(mpsc::Sender<AgentEvent>);

impl Tell {
    /// Tells an event once there is room for it.
    pub(super) async fn tell(&self, event: AgentEvent) {
        // Whoever listened has gone, and the run with them.
        let _ = self.0.send(event).await;
    }

    /// Tells an event if there is room for it.
    pub(super) fn try_tell(&self, event: AgentEvent) {
        let _ = self.0.try_send(event);
    }

    pub(super) async fn notice(&self, text: impl Into<String>) {
        self.tell(AgentEvent::Notice { text: text.into() }).await;
    }
}

impl<'c> Run<'c> {
    pub(super) fn new(agent: Arc<Inner>, conversation: &'c mut Conversation) -> Self {
        let (sender, events) = mpsc::channel(WAITING);
        let work = Work::new(agent, conversation, Tell(sender)).drive();
        Self { work: Some(Box::pin(work)), events, end: None }
    }

    /// The next event; none after the last.
    ///
    /// # Errors
    /// [`AgentError`], and then nothing comes after it.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<AgentEvent, AgentError>> {
        StreamExt::next(self).await
    }

    /// Goes on to the end.
    ///
    /// # Errors
    /// [`AgentError`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels the run.
    pub async fn outcome(mut self) -> Result<Outcome, AgentError> {
        while let Some(event) = self.next().await {
            if let AgentEvent::Done(outcome) = event? {
                return Ok(outcome);
            }
        }
        // The work of a run ends with an outcome or an error, and both were looked at.
        Err(AgentError::Empty)
    }
}

impl Stream for Run<'_> {
    type Item = Result<AgentEvent, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(Some(event)) = this.events.poll_recv(cx) {
                return Poll::Ready(Some(Ok(event)));
            }
            let Some(work) = &mut this.work else {
                return Poll::Ready(this.end.take().map(|end| end.map(AgentEvent::Done)));
            };
            match work.as_mut().poll(cx) {
                Poll::Ready(end) => {
                    this.work = None;
                    this.end = Some(end);
                }
                // What it told meanwhile has woken this task through the channel.
                Poll::Pending => {
                    return match this.events.poll_recv(cx) {
                        Poll::Ready(Some(event)) => Poll::Ready(Some(Ok(event))),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("over", &self.work.is_none()).finish_non_exhaustive()
    }
}
