//! Tasks: calls of tools that go on after their first answer.
//!
//! Specification: basic/utilities/tasks of 2025-11-25, and SEP-2663 for the extension `io.modelcontextprotocol/tasks`
//! of 2026-07-28. A task of the first belongs to the session that it began in, one of the second to whoever knows its
//! id.

mod methods;
mod store;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bowline_protocol::{CallToolResult, Entries, Era, ErrorCode, ErrorObject, RawJson, TaskStatus, TaskSupport};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

pub(crate) use self::store::Tasks;

use super::Shared;
use super::context::Context;
use super::dispatch::{Answer, not_found};
use super::modern::missing_tasks;
use crate::misbehave::Quirk;

/// How long the handler of a cancelled task may take to see it.
const GRACE: Duration = Duration::from_millis(100);

/// For how long tasks are kept, and how often to look at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// None is without limit.
    pub(crate) ttl: Option<Duration>,
    pub(crate) poll: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { ttl: Some(Duration::from_secs(600)), poll: Duration::from_millis(50) }
    }
}

/// One task.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The connection that it belongs to; none where it belongs to whoever knows its id.
    pub(crate) owner: Option<u64>,
    times: Times,
    created: SystemTime,
    /// When it is forgotten.
    until: Option<Instant>,
    state: Mutex<State>,
    /// Counts the changes of its status.
    changes: watch::Sender<u64>,
    pub(crate) cancel: Arc<watch::Sender<bool>>,
}

#[derive(Debug)]
struct State {
    status: TaskStatus,
    updated: SystemTime,
    outcome: Option<Answer>,
    /// The questions that wait for an answer, by their keys.
    open: serde_json::Map<String, Value>,
    waiting: HashMap<String, oneshot::Sender<RawJson>>,
    /// How many questions were asked so far.
    asked: usize,
    /// How often it was looked at, and how often after its end.
    seen: (usize, usize),
}

impl Job {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the status, unless the task has ended before.
    fn set(&self, status: TaskStatus, outcome: Option<Answer>) -> bool {
        {
            let mut state = self.state();
            if state.status.is_terminal() {
                return false;
            }
            state.status = status;
            state.outcome = outcome;
            state.updated = SystemTime::now();
            if state.status.is_terminal() {
                state.open.clear();
                state.waiting.clear();
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
        true
    }

    /// What the task came to; waits for that.
    async fn outcome(&self) -> Answer {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            {
                let state = self.state();
                if state.status.is_terminal() {
                    let cancelled = || Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the task was cancelled"));
                    return state.outcome.clone().unwrap_or_else(cancelled);
                }
            }
            // The sender is `self`.
            let _ = changes.changed().await;
        }
    }

    /// Asks the client through `tasks/get`, and waits for its `tasks/update`.
    async fn ask(&self, shared: &Shared, method: &str, params: Option<&RawJson>) -> Answer {
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.state();
            state.asked += 1;
            let key = format!("input-{}", state.asked);
            let mut question = json!({ "method": method });
            if let (Some(params), Some(members)) = (params, question.as_object_mut()) {
                members.insert("params".to_owned(), params.to_value());
            }
            state.open.insert(key.clone(), question);
            state.waiting.insert(key, sender);
        }
        self.set(TaskStatus::InputRequired, None);
        shared.publish_job(self).await;
        answer.await.map_err(|_| ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the task ended before the answer"))
    }

    /// Takes answers of the client; those to no open question are ignored.
    fn answered(&self, answers: &Entries<RawJson>) {
        let all_are_answered = {
            let mut state = self.state();
            for (key, answer) in answers.iter() {
                if let Some(waiting) = state.waiting.remove(key) {
                    state.open.remove(key);
                    // The handler may have given up meanwhile.
                    let _ = waiting.send(answer.clone());
                }
            }
            state.open.is_empty() && state.status == TaskStatus::InputRequired
        };
        if all_are_answered {
            self.set(TaskStatus::Working, None);
        }
    }

    /// How the task stands, as this server says it: as it is, or as its quirks have it.
    fn view(&self, shared: &Shared, detailed: bool) -> Result<Entries<RawJson>, ErrorObject> {
        let config = &shared.config;
        let modern = self.owner.is_none();
        let state = self.state();
        let hidden = (config.has_quirk(&Quirk::TaskNeverEnds) && state.status.is_terminal())
            || (config.has_quirk(&Quirk::TaskGoesBackwards) && state.seen.1 > 1);
        let status = if hidden { TaskStatus::Working } else { state.status.clone() };
        let mut task = Entries::new();
        for (name, value) in [
            ("taskId", json!(self.id)),
            ("status", json!(status)),
            ("createdAt", json!(bowline_protocol::timestamp(self.created))),
            ("lastUpdatedAt", json!(bowline_protocol::timestamp(state.updated))),
        ] {
            task.insert(name, RawJson::from(value));
        }
        let odd = config.quirk(|quirk| match quirk {
            Quirk::TaskTtl(ttl) => Some(*ttl),
            _ => None,
        });
        let ttl = odd.or(self.times.ttl.map(|ttl| i128::from(millis(ttl))));
        task.insert(if modern { "ttlMs" } else { "ttl" }, super::to_raw(&ttl)?);
        let poll = if modern { "pollIntervalMs" } else { "pollInterval" };
        task.insert(poll, super::to_raw(&millis(self.times.poll))?);
        if !detailed || !modern || hidden {
            return Ok(task);
        }
        match (&state.status, &state.outcome) {
            (TaskStatus::InputRequired, _) => task.insert("inputRequests", super::to_raw(&state.open)?),
            (_, Some(Ok(result))) => task.insert("result", result.clone()),
            (_, Some(Err(error))) => task.insert("error", super::to_raw(error)?),
            _ => None,
        };
        Ok(task)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    /// Whether a call is to be run as a task.
    pub(crate) fn is_task(
        &self,
        context: &Context,
        support: Option<&TaskSupport>,
        asked: bool,
    ) -> Result<bool, ErrorObject> {
        let supported = matches!(support, Some(TaskSupport::Optional | TaskSupport::Required));
        let required = support == Some(&TaskSupport::Required);
        match context.terms() {
            Some(terms) if terms.has_tasks() => Ok(supported),
            // Specification: SEP-2663. Who cannot take a task gets the result, if that can be had.
            Some(_) if required => Err(missing_tasks()),
            Some(_) => Ok(false),
            None if !context.revision().has_tasks() => Ok(false),
            // Specification: basic/utilities/tasks of 2025-11-25, section on negotiation for each tool.
            None if asked != supported && (asked || required) => Err(not_found("tools/call, as it was asked to run")),
            None => Ok(asked),
        }
    }

    /// Begins a task; gives the answer that announces it.
    pub(crate) async fn begin_task<F>(
        self: &Arc<Self>,
        context: &Context,
        ttl: Option<Duration>,
        run: impl FnOnce(Context) -> F,
    ) -> Answer
    where
        F: Future<Output = Result<CallToolResult, ErrorObject>> + Send + 'static,
    {
        let modern = context.terms().is_some();
        let owner = (!modern).then(|| context.connection());
        let mut times = self.config.tasks;
        times.ttl = ttl.or(times.ttl);
        let job = self.tasks.add(owner, times)?;
        let announced = job.view(self, false)?;
        let context = context.in_task(Arc::clone(&job));
        let running = run(context);
        let shared = Arc::clone(self);
        let handle = tokio::spawn({
            let job = Arc::clone(&job);
            async move {
                let outcome = tokio::select! {
                    outcome = AssertUnwindSafe(running).catch_unwind() => outcome.unwrap_or_else(|_| {
                        Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the handler panicked"))
                    }),
                    () = job.given_up() => return,
                };
                let failed = match &outcome {
                    Ok(result) => !modern && result.is_error == Some(true),
                    Err(_) => true,
                };
                let outcome = outcome.and_then(|result| shared.task_result(&job, &result));
                let status = if failed { TaskStatus::Failed } else { TaskStatus::Completed };
                if job.set(status, Some(outcome)) {
                    shared.publish_job(&job).await;
                }
            }
        });
        self.tasks.own(&job, handle.abort_handle());
        if modern {
            let mut result = Entries::new();
            result.insert("resultType", RawJson::from(json!("task")));
            for (name, value) in announced.iter() {
                result.insert(name, value.clone());
            }
            return super::to_raw(&result);
        }
        super::to_raw(&json!({ "task": announced }))
    }

    /// The result of a task, as the era has it.
    fn task_result(&self, job: &Job, result: &CallToolResult) -> Answer {
        let raw = super::to_raw(result)?;
        if job.owner.is_none() {
            return Ok(self.finish("tools/call", &raw));
        }
        let mut members: Entries<RawJson> = raw.parse().map_err(|error| {
            ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("cannot write the result: {error}"))
        })?;
        let mut meta = result.meta.clone().unwrap_or_default();
        meta.set_related_task(&job.id);
        members.insert("_meta", super::to_raw(&meta)?);
        super::to_raw(&members)
    }

    /// Tells those concerned how a task stands.
    async fn publish_job(&self, job: &Job) {
        let Ok(params) = job.view(self, true).and_then(|task| super::to_raw(&task)) else { return };
        for session in self.sessions() {
            match job.owner {
                None => session.publish_task(&job.id, &params).await,
                Some(owner) if owner == session.connection => {
                    session.notify("notifications/tasks/status", Some(&params)).await;
                }
                Some(_) => {}
            }
        }
    }

    /// Asks a client on behalf of a task.
    pub(crate) async fn ask_for_task(
        &self,
        job: &Job,
        context: &Context,
        method: &str,
        params: Option<&RawJson>,
    ) -> Answer {
        if context.revision().era() == Era::Stateless {
            return job.ask(self, method, params).await;
        }
        let mut members = params.map_or_else(|| json!({}), RawJson::to_value);
        if let Some(members) = members.as_object_mut() {
            let meta = members.entry("_meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                meta.insert("io.modelcontextprotocol/related-task".to_owned(), json!({ "taskId": job.id }));
            }
        }
        job.set(TaskStatus::InputRequired, None);
        self.publish_job(job).await;
        let answer = context.session().request(method, Some(&RawJson::from(members))).await;
        if job.set(TaskStatus::Working, None) {
            self.publish_job(job).await;
        }
        answer
    }
}

impl Job {
    /// Waits until nobody waits for the handler any more: a while after the task was cancelled, or at the end of its
    /// time.
    async fn given_up(&self) {
        let mut cancelled = self.cancel.subscribe();
        let end = async {
            match self.until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let cancel = async {
            // The sender is `self`.
            drop(cancelled.wait_for(|cancelled| *cancelled).await);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = cancel => {}
            () = end => {}
        }
    }
}
