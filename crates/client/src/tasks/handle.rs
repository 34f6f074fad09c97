//! A task in its holder's hand.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bowline_protocol::{CallToolResult, CreateTaskResult, GetTaskResult, InputResponse, Meta, Task, excerpt, method};
use bowline_transport::BoxFuture;
use futures_core::Stream;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::output;
use crate::request::Leg;
use crate::tasks::follow::Follow;
use crate::tasks::ticket::TaskTicket;

/// A task of a server, and the way to its result.
///
/// From [`TaskCall::start`](crate::TaskCall::start) or [`Client::resume_task`](crate::Client::resume_task). Nothing is
/// asked of the server unless one of the methods is awaited. Dropping the handle leaves the task as it is: it goes on,
/// and whoever has its [ticket](Self::ticket) can take it up. [`cancel`](Self::cancel) ends it.
///
/// ```
/// use bowline_client::{Client, Error, Started};
/// use bowline_protocol::CallToolResult;
///
/// async fn render(client: &Client) -> Result<CallToolResult, Error> {
///     let mut task = match client.call("render").as_task().start().await? {
///         Started::Complete(result) => return Ok(result),
///         Started::Task(task) => task,
///         other => panic!("{other:?}"),
///     };
///     while let Some(state) = task.next_state().await {
///         println!("{}", state?.task.status);
///     }
///     task.result().await
/// }
/// ```
pub struct TaskHandle {
    follow: Follow,
    meta: Option<Meta>,
    /// Whether the last state was handed out, and the keys of what it asked.
    told: bool,
    shown: Vec<String>,
    /// What the route of the call keeps of it, for as long as there is the handle.
    _leg: Option<Leg>,
}

impl TaskHandle {
    pub(crate) fn created(leg: Leg, call: &mut Call, created: &CreateTaskResult) -> Result<Self, Error> {
        let follow = Follow::created(leg.client.clone(), call, created)?;
        Ok(Self { follow, meta: created.meta.clone(), told: false, shown: Vec::new(), _leg: Some(leg) })
    }

    pub(crate) fn taken_up(client: Client, ticket: TaskTicket) -> Self {
        Self { follow: Follow::taken_up(client, ticket), meta: None, told: false, shown: Vec::new(), _leg: None }
    }

    /// Which task.
    pub fn id(&self) -> &str {
        &self.follow.ticket.task_id
    }

    /// What another process needs to take the task up.
    pub fn ticket(&self) -> TaskTicket {
        self.follow.ticket.clone()
    }

    /// The task as it was last seen; none of one that was taken up and not looked at yet.
    pub fn last_seen(&self) -> Option<&Task> {
        self.follow.tracker.last()
    }

    /// What the server suggests to tell a model while the task runs (2025-11-25, provisional there).
    pub fn immediate_response(&self) -> Option<&str> {
        self.meta.as_ref()?.get("io.modelcontextprotocol/model-immediate-response")?.as_str()
    }

    /// Looks at the task (`tasks/get`).
    ///
    /// # Errors
    /// [`ErrorKind::TaskGone`] where the server has forgotten it, [`ErrorKind::Protocol`] where it goes on after its
    /// end, else as for any request. A failure that may pass is tried again, up to four times.
    ///
    /// # Cancel safety
    /// Dropping the future gives the look up and leaves the task as it is.
    pub async fn status(&mut self) -> Result<GetTaskResult, Error> {
        let limit = self.follow.limit(Instant::now());
        let state = Box::pin(self.follow.look(limit)).await?;
        self.show(&state);
        Ok(state)
    }

    /// Waits for the next look that brings something new; `None` once the last state was handed out.
    ///
    /// The looks are as far apart as the server wants, at least 50 ms and at most 10 min; where it says nothing, 250 ms
    /// and growing to 5 s. What the server tells by itself shortens the wait: in 2026-07-28 it is asked to
    /// (`subscriptions/listen`) once a wait of a second or more is due, for at most 16 tasks of a client at once.
    ///
    /// In 2026-07-28 a state has what the task asks (answer it with [`update`](Self::update)) and,
    /// at the end, what came of it. In 2025-11-25 what a task asks reaches the handlers only while
    /// [`result`](Self::result) is awaited.
    ///
    /// # Errors
    /// As for [`status`](Self::status), and [`ErrorKind::Timeout`] where nothing new comes within
    /// [`Timeouts::task`](crate::Timeouts::task), or the call's own limit.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next_state(&mut self) -> Option<Result<GetTaskResult, Error>> {
        if self.told && self.follow.tracker.has_ended() {
            return None;
        }
        Some(self.new_state().await)
    }

    async fn new_state(&mut self) -> Result<GetTaskResult, Error> {
        if let Some(created) = self.follow.tracker.last().filter(|_| !self.told).cloned() {
            self.told = true;
            return Ok(GetTaskResult::new(created));
        }
        let limit = self.follow.limit(Instant::now());
        loop {
            let before = self.follow.tracker.last().cloned();
            let state = match before {
                Some(_) => Box::pin(self.follow.next(limit)).await?,
                None => Box::pin(self.follow.look(limit)).await?,
            };
            let is_new = before.is_none_or(|before| {
                before.status != state.task.status || before.status_message != state.task.status_message
            });
            if is_new || keys(&state).any(|key| !self.shown.iter().any(|shown| shown == key)) {
                self.show(&state);
                return Ok(state);
            }
        }
    }

    fn show(&mut self, state: &GetTaskResult) {
        self.told = true;
        self.shown = keys(state).map(str::to_owned).collect();
    }

    /// The states of the task as a stream, up to its end or the first error; see [`next_state`](Self::next_state).
    pub fn states(&mut self) -> TaskStates<'_> {
        TaskStates { state: States::Ready(self) }
    }

    /// Waits for the end of the task and gives the tool's result, as the call itself would have given it. What the task
    /// asks is answered by the installed handlers. It may be called again. A structured result is checked as that of
    /// the call itself would be.
    ///
    /// # Errors
    /// - [`ErrorKind::Server`]: the call failed with this error.
    /// - [`ErrorKind::TaskCancelled`], [`ErrorKind::TaskGone`]: there is no result.
    /// - [`ErrorKind::InputRefused`]: nobody here can answer what the task asks. It goes on waiting.
    /// - [`ErrorKind::Timeout`]: it did not end within [`Timeouts::task`](crate::Timeouts::task) or the call's own
    ///   limit. The task goes on; call this again, or [`cancel`](Self::cancel).
    ///
    /// # Cancel safety
    /// Dropping the future leaves the task as it is.
    pub async fn result(&mut self) -> Result<CallToolResult, Error> {
        let limit = self.follow.limit(Instant::now());
        let result = self.follow.result(limit).await?;
        let Follow { client, ticket, .. } = &self.follow;
        let result = client.supervisor().decode(&ticket.method, || result.decode())?;
        output::judge(client, ticket.name.as_deref().unwrap_or_default(), result).await
    }

    /// Answers one of the questions of a task (`tasks/update`, 2026-07-28). [`result`](Self::result) does not ask the
    /// handlers again for what was answered here.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in 2025-11-25, where a task asks by requests; [`ErrorKind::Config`] for a key that
    /// was answered already, as each stands for one question over the life of a task; else as for any request.
    ///
    /// # Cancel safety
    /// After a drop the server may have the answer or not; it may be given again.
    pub async fn update(&mut self, key: impl Into<String>, answer: impl Into<InputResponse>) -> Result<(), Error> {
        let key = key.into();
        if self.follow.tracker.is_answered(&key) {
            let key = excerpt(&key, 80);
            return Err(Error::new(ErrorKind::Config, format!("the question \"{key}\" was answered already"))
                .with_method(method::TASKS_UPDATE));
        }
        let limit = self.follow.limit(Instant::now());
        self.follow.update(&BTreeMap::from([(key, answer.into())]), limit).await
    }

    /// Asks the server to end the task (`tasks/cancel`). In 2026-07-28 it may yet end otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::TaskGone`] where there is nothing to cancel any more, else as for any request.
    ///
    /// # Cancel safety
    /// Once polled, the request may have reached the server.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.follow.cancel().await
    }
}

/// The keys of what a task asks.
fn keys(state: &GetTaskResult) -> impl Iterator<Item = &str> {
    state.input_requests.iter().flat_map(|requests| requests.names())
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("ticket", &self.follow.ticket)
            .field("status", &self.follow.tracker.status())
            .finish_non_exhaustive()
    }
}

/// The states of a task as a stream; made by [`TaskHandle::states`].
///
/// # Cancel safety
/// Dropping it gives up the look that is under way.
#[must_use = "nothing is asked until it is polled"]
#[derive(Debug)]
pub struct TaskStates<'a> {
    state: States<'a>,
}

enum States<'a> {
    Ready(&'a mut TaskHandle),
    Looking(BoxFuture<'a, (&'a mut TaskHandle, Option<Result<GetTaskResult, Error>>)>),
    Done,
}

impl fmt::Debug for States<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready",
            Self::Looking(_) => "Looking",
            Self::Done => "Done",
        })
    }
}

impl Stream for TaskStates<'_> {
    type Item = Result<GetTaskResult, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.state, States::Done) {
                States::Done => return Poll::Ready(None),
                States::Ready(handle) => {
                    self.state = States::Looking(Box::pin(async move {
                        let next = handle.next_state().await;
                        (handle, next)
                    }));
                }
                States::Looking(mut looking) => match looking.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = States::Looking(looking);
                        return Poll::Pending;
                    }
                    Poll::Ready((handle, next)) => {
                        if matches!(next, Some(Ok(_))) {
                            self.state = States::Ready(handle);
                        }
                        return Poll::Ready(next);
                    }
                },
            }
        }
    }
}
