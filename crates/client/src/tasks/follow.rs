//! Following a task to its end: looking at the server's pace, answering what it asks, fetching what came of it.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{
    CreateTaskResult, GetTaskPayloadRequestParams, GetTaskRequestParams, GetTaskResult, InputRequests, Payload,
    RawJson, ResultKind, Task, TaskStatus, method,
};
use bowline_transport::Sent;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::call::{Behind, Call, CallOptions, OnProgress};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::rounds;
use crate::tasks::desk::Watch;
use crate::tasks::listener::{Listener, WORTH_IT};
use crate::tasks::tracker::{MAX_DELAY, MIN_DELAY, Tracker};
use crate::tasks::{OnStatus, TaskTicket};
use crate::timeouts::NEVER;

/// How many looks in a row may fail for reasons that pass.
const MAX_FAILURES: u32 = 4;
/// How long to wait after the first of them; it doubles with each.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Until when a task is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    until: Instant,
    limit: Duration,
}

impl Limit {
    pub(crate) fn new(from: Instant, limit: Duration) -> Self {
        Self { until: from + limit.min(NEVER), limit }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn passed(&self) -> Error {
        Error::timeout("the task did not end", self.limit, Sent::Yes)
    }

    fn check(&self) -> Result<(), Error> {
        if self.left().is_zero() { Err(self.passed()) } else { Ok(()) }
    }
}

/// One task that is followed.
pub(crate) struct Follow {
    pub(crate) client: Client,
    pub(crate) ticket: TaskTicket,
    pub(crate) tracker: Tracker,
    /// What the caller set on the call, where it set anything.
    idle: Option<Duration>,
    total: Option<Duration>,
    progress: Progress,
    /// Never locked: callbacks need not be `Sync`, while whoever holds the task may be (`TaskHandle::cancel` borrows it).
    on_status: Mutex<Option<OnStatus>>,
    /// Told when the server says that the task changed; of the connection with this number.
    changes: Option<(u64, watch::Receiver<()>)>,
    /// Where the server tells of it by itself (2026-07-28).
    listener: Option<Listener>,
    failures: u32,
}

impl Follow {
    /// Follows a task that a call became.
    pub(crate) fn created(client: Client, call: &mut Call, created: &CreateTaskResult) -> Result<Self, Error> {
        let ticket = TaskTicket {
            task_id: created.task.task_id.clone(),
            method: call.method.clone().into_owned(),
            name: call.name.as_deref().map(str::to_owned),
            revision: client.server().revision,
        };
        tracing::debug!(task = ticket.short_id(), status = %created.task.status, "a call became a task");
        let mut this = Self::taken_up(client, ticket);
        this.idle = call.options.idle;
        this.total = call.options.total;
        this.progress = Progress {
            watch: call.watch.take(),
            behind: call.options.behind().cloned().unwrap_or_default(),
            on_progress: Mutex::new(call.options.take_on_progress()),
        };
        this.on_status = Mutex::new(call.options.take_on_status());
        this.saw(&created.task)?;
        Ok(this)
    }

    /// Follows a task of which nothing was seen yet.
    pub(crate) fn taken_up(client: Client, ticket: TaskTicket) -> Self {
        Self {
            tracker: Tracker::new(&ticket.task_id),
            client,
            ticket,
            idle: None,
            total: None,
            progress: Progress::default(),
            on_status: Mutex::default(),
            changes: None,
            listener: None,
            failures: 0,
        }
    }

    /// The limit of a task that is followed from `from` on.
    pub(crate) fn limit(&self, from: Instant) -> Limit {
        Limit::new(from, self.total.unwrap_or_else(|| self.client.timeouts().task))
    }

    fn saw(&mut self, task: &Task) -> Result<(), Error> {
        let changed = self.tracker.observe(task).map_err(|error| error.with_method(&self.ticket.method))?;
        if changed && let Some(on_status) = own(&mut self.on_status) {
            on_status(task);
        }
        Ok(())
    }

    /// Looks at the task (`tasks/get`).
    pub(crate) async fn look(&mut self, limit: Limit) -> Result<GetTaskResult, Error> {
        let params = encode(&GetTaskRequestParams::new(self.ticket.task_id.as_str()))?;
        let result = self.ask(method::TASKS_GET, &params, limit).await?;
        let state: GetTaskResult = self.client.supervisor().decode(method::TASKS_GET, || result.decode())?;
        self.saw(&state.task)?;
        Ok(state)
    }

    /// The next state: what the server tells of itself, or what a look shows when it is time for one.
    pub(crate) async fn next(&mut self, limit: Limit) -> Result<GetTaskResult, Error> {
        self.wait(limit).await;
        match self.listener.as_ref().and_then(Listener::take) {
            Some(state) => {
                self.saw(&state.task)?;
                limit.check().map(|()| state)
            }
            None => self.look(limit).await,
        }
    }

    /// Waits as long as the server wants between two looks, or until it says that the task changed.
    async fn wait(&mut self, limit: Limit) {
        let now = Instant::now();
        let delay = self.tracker.delay();
        let at = (now + delay).min(limit.until);
        let earliest = (now + MIN_DELAY).min(limit.until);
        let in_session = self.ticket.revision.has_tasks();
        if self.listener.is_none() && !in_session && delay >= WORTH_IT {
            self.listener = Listener::start(&self.client, &self.ticket.task_id);
        }
        let mut changes = in_session.then(|| self.changes());
        let listener = self.listener.as_ref();
        let told = async {
            let told = match (&mut changes, listener) {
                (Some((_, changes)), _) => changes.changed().await.is_ok(),
                (None, Some(listener)) => {
                    listener.changed().await;
                    true
                }
                (None, None) => false,
            };
            if !told {
                std::future::pending::<()>().await;
            }
        };
        let waiting = async {
            tokio::select! {
                () = sleep_until(at) => {}
                // Nobody relies on these, and a flood of them makes no flood of looks.
                () = told => sleep_until(earliest).await,
            }
        };
        self.progress.attend(waiting).await;
        self.changes = changes;
    }

    /// Where the server's notifications come in, over the connection of this moment (2025-11-25).
    fn changes(&mut self) -> (u64, watch::Receiver<()>) {
        let link = self.client.link_now();
        match self.changes.take() {
            Some((epoch, changes)) if epoch == link.epoch => (epoch, changes),
            _ => (link.epoch, link.owner.connection.tasks.changes(&self.ticket.task_id)),
        }
    }

    /// Follows the task to its end and gives what came of it.
    ///
    /// Dropping the future leaves the task as it is, and nothing that was seen is lost.
    pub(crate) async fn result(&mut self, limit: Limit) -> Result<Payload, Error> {
        let outcome = if self.ticket.revision.has_tasks() {
            Box::pin(self.result_in_session(limit)).await
        } else {
            Box::pin(self.result_of_looks(limit)).await
        };
        let status = self.tracker.status().map_or("unknown", TaskStatus::as_str);
        match &outcome {
            Ok(_) => tracing::debug!(task = self.ticket.short_id(), status, "a task has ended"),
            Err(error) => tracing::debug!(task = self.ticket.short_id(), status, %error, "a task is given up"),
        }
        outcome.map_err(|error| error.with_method_unless_set(&self.ticket.method))
    }

    /// 2025-11-25: the result has a request of its own, and what the server asks meanwhile are requests of its own.
    async fn result_in_session(&mut self, limit: Limit) -> Result<Payload, Error> {
        let mut in_vain = 0;
        loop {
            match self.tracker.status() {
                Some(TaskStatus::Cancelled) => return Err(self.cancelled()),
                // On `input_required` too: only then has the server a stream for what it asks.
                Some(TaskStatus::Completed | TaskStatus::Failed | TaskStatus::InputRequired) => {
                    match self.fetch(limit).await {
                        Ok(result) => return Ok(result),
                        // It did not come in time, or its stream broke; a look tells how the task stands now.
                        Err(error) if passes(&error, &self.client) => {
                            in_vain += u32::from(self.tracker.has_ended());
                            if in_vain > MAX_FAILURES {
                                return Err(error);
                            }
                        }
                        Err(error) => return Err(error),
                    }
                    limit.check()?;
                    self.wait(limit).await;
                }
                Some(_) => self.wait(limit).await,
                None => {}
            }
            self.look(limit).await?;
        }
    }

    /// Asks for the result (`tasks/result`), and serves what the server asks until it comes.
    async fn fetch(&mut self, limit: Limit) -> Result<Payload, Error> {
        let params = encode(&GetTaskPayloadRequestParams::new(self.ticket.task_id.as_str()))?;
        let mut call = self.call(method::TASKS_RESULT, &params, limit.left());
        // It comes when the task ends; silence on the way, unless a handler of ours runs, makes for another look.
        call.options.total = Some(limit.left());
        let client = self.client.clone();
        let result = self.progress.attend(Box::pin(client.run_raw(&mut call))).await;
        let failed = self.tracker.status() == Some(&TaskStatus::Failed);
        result.map_err(|error| match error.server_error() {
            Some(_) if failed => {
                // Specification: the error of the call itself.
                error.with_method(&self.ticket.method).about_task("the task failed", &self.tracker.message())
            }
            Some(answer) if is_gone(answer.code.0, &answer.message, self.tracker.has_ended()) => error.task_gone(),
            _ => error,
        })
    }

    /// 2026-07-28: all there is to know is in what `tasks/get` answers.
    async fn result_of_looks(&mut self, limit: Limit) -> Result<Payload, Error> {
        let is_under_way =
            !self.tracker.has_ended() && self.tracker.status().is_some_and(|s| *s != TaskStatus::InputRequired);
        let mut state = if is_under_way { self.next(limit).await? } else { self.look(limit).await? };
        loop {
            match state.task.status {
                TaskStatus::Completed => return self.completed(state),
                TaskStatus::Failed => return Err(self.failed(&state)),
                TaskStatus::Cancelled => return Err(self.cancelled()),
                TaskStatus::InputRequired => self.answer(state.input_requests.unwrap_or_default(), limit).await?,
                _ => {}
            }
            state = self.next(limit).await?;
        }
    }

    /// Has the handlers answer what the task asks, each question once, and tells the server (`tasks/update`).
    async fn answer(&mut self, questions: InputRequests, limit: Limit) -> Result<(), Error> {
        let open = self.tracker.open(questions)?;
        if open.is_empty() {
            return Ok(());
        }
        let link = tokio::time::timeout_at(limit.until, self.client.link()).await.map_err(|_| limit.passed())??;
        let answers = Box::pin(rounds::answers(&link.owner.connection, open));
        let answers = tokio::time::timeout_at(limit.until, self.progress.attend(answers));
        let answers = answers.await.map_err(|_| limit.passed())??;
        self.update(&answers, limit).await
    }

    /// Gives answers to the server. They may be given twice: it passes over those that it has.
    pub(crate) async fn update<A: Serialize>(
        &mut self,
        answers: &std::collections::BTreeMap<String, A>,
        limit: Limit,
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a, A> {
            task_id: &'a str,
            input_responses: &'a std::collections::BTreeMap<String, A>,
        }

        let params = encode(&Params { task_id: &self.ticket.task_id, input_responses: answers })?;
        self.ask(method::TASKS_UPDATE, &params, limit).await?;
        answers.keys().for_each(|key| self.tracker.answered(key));
        Ok(())
    }

    fn completed(&self, state: GetTaskResult) -> Result<Payload, Error> {
        let broken = |what: &str| Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes));
        match state.result.map(Payload::from) {
            Some(result) if result.kind() == ResultKind::Complete => Ok(result),
            Some(_) => broken("the task is completed, and its result is of another kind than a complete one"),
            None => broken("the task is completed, and the server gave no result"),
        }
    }

    /// Specification: SEP-2663, task status. The error is that of the call.
    fn failed(&self, state: &GetTaskResult) -> Error {
        match self.client.supervisor().reading(method::TASKS_GET, || state.error()) {
            Some(error) => Error::server(error).about_task("the task failed", &self.tracker.message()),
            None => Error::new(ErrorKind::Protocol, "the task failed, and the server did not say with which error")
                .with_sent(Sent::Yes)
                .about_task("it said", &self.tracker.message()),
        }
    }

    fn cancelled(&self) -> Error {
        Error::new(ErrorKind::TaskCancelled, "the task was cancelled before it was done")
            .with_sent(Sent::Yes)
            .about_task("the server said", &self.tracker.message())
    }

    /// Sends a request about the task that changes nothing if it comes twice; again where a failure may pass.
    async fn ask(&mut self, method: &'static str, params: &RawJson, limit: Limit) -> Result<Payload, Error> {
        loop {
            limit.check()?;
            self.progress.check()?;
            let mut call = self.call(method, params, limit.left());
            let client = self.client.clone();
            let error = match self.progress.attend(Box::pin(client.run_raw(&mut call))).await {
                Ok(result) => {
                    self.failures = 0;
                    return Ok(result);
                }
                Err(error) => error,
            };
            limit.check()?;
            if let Some(answer) = error.server_error() {
                let gone = is_gone(answer.code.0, &answer.message, method == method::TASKS_GET);
                return Err(if gone { error.task_gone() } else { error });
            }
            if self.failures >= MAX_FAILURES || !passes(&error, &self.client) {
                return Err(error);
            }
            let pause = error.retry_after().unwrap_or(AFTER_FAILURE.saturating_mul(1 << self.failures));
            self.failures += 1;
            tracing::debug!(task = self.ticket.short_id(), method, %error, ?pause, "asking about a task again");
            self.progress.attend(sleep(pause.min(MAX_DELAY).min(limit.left()))).await;
        }
    }

    /// Asks the server to end the task (`tasks/cancel`).
    pub(crate) async fn cancel(&self) -> Result<(), Error> {
        let params = encode(&bowline_protocol::CancelTaskRequestParams::new(self.ticket.task_id.as_str()))?;
        let mut call = self.call(method::TASKS_CANCEL, &params, NEVER);
        match self.client.run_raw(&mut call).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.server_error() {
                Some(answer) if is_gone(answer.code.0, &answer.message, false) => error.task_gone(),
                _ => error,
            }),
        }
    }

    fn call(&self, method: &'static str, params: &RawJson, left: Duration) -> Call {
        let timeouts = self.client.timeouts();
        let options = CallOptions { idle: self.idle, total: Some(timeouts.total.min(left)), ..CallOptions::default() };
        Call {
            method: Cow::Borrowed(method),
            // Specification: SEP-2663, routing headers: what the request is applied to.
            name: Some(self.ticket.task_id.as_str().into()),
            params: Some(params.clone()),
            options,
            ..Call::default()
        }
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("ticket", &self.ticket)
            .field("status", &self.tracker.status())
            .finish_non_exhaustive()
    }
}

/// Whether a request about a task failed for a reason that may pass: reading twice does nothing twice.
fn passes(error: &Error, client: &Client) -> bool {
    let is_busy = matches!(error.status(), Some(429 | 502..=504));
    let is_lost = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Closed | ErrorKind::Connect);
    is_busy || (is_lost && !client.is_closed())
}

/// Whether an error says that the server has no such task. `-32602` says so to a question that has nothing else that
/// could be wrong.
fn is_gone(code: i64, message: &str, by_code: bool) -> bool {
    let message = message.to_ascii_lowercase();
    let says_so = ["not found", "expired", "unknown task", "no such task", "does not exist"];
    (by_code && code == -32602) || (message.contains("task") && says_so.iter().any(|words| message.contains(words)))
}

fn encode(params: &impl Serialize) -> Result<RawJson, Error> {
    RawJson::from_serialize(params)
        .map_err(|error| Error::new(ErrorKind::Config, format!("the parameters cannot be json: {error}")))
}

/// What only its owner uses.
fn own<T>(place: &mut Mutex<Option<T>>) -> Option<&mut T> {
    place.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
}

/// Where progress comes in that belongs to a task, and whom it is told.
#[derive(Default)]
struct Progress {
    watch: Option<Watch>,
    behind: Behind,
    /// Never locked, as above.
    on_progress: Mutex<Option<OnProgress>>,
}

impl Progress {
    /// Runs `work`, and hands on progress meanwhile, in the task of the caller.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let done = work.as_mut().poll(cx);
            self.hand_on(cx);
            done
        })
        .await
    }

    /// An error where more came than may wait, and none of it may be lost.
    fn check(&self) -> Result<(), Error> {
        if self.watch.as_ref().is_some_and(Watch::is_cut) {
            let what =
                "more progress of a task came than waits for its reader, which is 4096 notifications; read faster";
            return Err(Error::overloaded(what, None).with_sent(Sent::Yes));
        }
        Ok(())
    }

    fn hand_on(&mut self, cx: &mut Context<'_>) {
        let Some(watch) = &self.watch else { return };
        while let Poll::Ready((progress, dropped)) = watch.poll(cx) {
            if let Behind::Counts(missed) = &self.behind {
                missed.fetch_add(dropped, Ordering::Relaxed);
            }
            if let Some(on_progress) = own(&mut self.on_progress) {
                on_progress(progress);
            }
        }
    }
}

/// Has a task cancelled that is given up before its end.
struct CancelOnDrop {
    client: Client,
    task_id: Option<String>,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(task_id) = self.task_id.take() {
            self.client.link_now().owner.connection.tasks.abandon(task_id);
        }
    }
}

/// What came of a call that became a task. Dropping the future cancels the task, and so does an error that is not its
/// end.
pub(crate) async fn finish(
    client: &Client,
    call: &mut Call,
    created: &CreateTaskResult,
    started: Instant,
) -> Result<Payload, Error> {
    let mut guard = CancelOnDrop { client: client.clone(), task_id: Some(created.task.task_id.clone()) };
    let mut follow = Follow::created(client.clone(), call, created)?;
    let limit = follow.limit(started);
    let outcome = match follow.result(limit).await {
        Ok(result) => follow.progress.check().map(|()| result),
        failed => failed,
    };
    let is_gone = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::TaskGone);
    if outcome.is_ok() || follow.tracker.has_ended() || is_gone {
        guard.task_id = None;
    }
    outcome
}
