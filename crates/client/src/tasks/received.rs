//! Tasks that the server gives to the client: what it asks of the model or the user, and comes back for (2025-11-25).
//!
//! Specification: 2025-11-25, basic/utilities/tasks. They belong to the connection over which they were asked for, so
//! nobody else can see them.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bowline_protocol::{ErrorCode, ErrorObject, RawJson, TaskStatus, TaskTtl, excerpt, timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::task::Task;
use crate::timeouts::NEVER;

/// The shortest time for which a task is kept.
const MIN_TTL: Duration = Duration::from_secs(1);

/// How what the server asks is run as tasks; given to
/// [`ClientBuilder::receive_tasks`](crate::ClientBuilder::receive_tasks).
///
/// ```
/// use std::time::Duration;
/// use bowline_client::{Client, ReceivedTasks};
///
/// let builder = Client::builder().receive_tasks(ReceivedTasks::default().max_ttl(Duration::from_secs(7200)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it is given to a client's builder"]
pub struct ReceivedTasks {
    max_tasks: usize,
    max_ttl: Duration,
    poll_interval: Duration,
}

impl Default for ReceivedTasks {
    fn default() -> Self {
        Self { max_tasks: 32, max_ttl: Duration::from_secs(3600), poll_interval: Duration::from_secs(1) }
    }
}

impl ReceivedTasks {
    /// Sets how many tasks of one connection are kept, ended ones included. Default: 32. Further ones are refused with
    /// an error that says so.
    pub const fn max_tasks(mut self, tasks: usize) -> Self {
        self.max_tasks = tasks;
        self
    }

    /// Sets how long a task is kept at most, from its creation; then its handler is stopped and its result forgotten.
    /// Default: 1 h. The server may ask for less, of which it gets at least 1 s.
    pub const fn max_ttl(mut self, limit: Duration) -> Self {
        self.max_ttl = limit;
        self
    }

    /// Sets how often the server is told to look. Default: 1 s. It need not keep to it.
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }
}

/// What a task came to: what the request would have been answered with.
pub(crate) type Outcome = Result<RawJson, ErrorObject>;

/// The tasks of one connection. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Received {
    settings: ReceivedTasks,
    ids: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many there were.
    count: u64,
    /// In the order of their creation.
    tasks: Vec<Own>,
}

#[derive(Debug)]
struct Own {
    id: String,
    status: TaskStatus,
    message: Option<String>,
    created: SystemTime,
    updated: SystemTime,
    ttl: Duration,
    outcome: watch::Sender<Option<Outcome>>,
    /// Runs the handler, and keeps the task for its time.
    run: Option<Task>,
}

/// A task that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: String,
    pub(crate) task: bowline_protocol::Task,
    pub(crate) until: Instant,
    /// What it came to, once it has ended in any way.
    pub(crate) outcome: watch::Receiver<Option<Outcome>>,
}

/// The answer about a task that is not there.
pub(crate) fn gone() -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, "task not found; it may have expired")
}

impl Received {
    pub(crate) fn new(settings: ReceivedTasks) -> Self {
        Self { settings, ids: RandomState::new(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a task: working, under an id that nobody can guess. A cancelled one makes room, as it may be forgotten at
    /// any time.
    pub(crate) fn begin(&self, ttl: Option<Duration>) -> Result<Begun, ErrorObject> {
        let most = self.settings.max_ttl.min(NEVER);
        let ttl = ttl.unwrap_or(most).max(MIN_TTL).min(most);
        let mut state = self.state();
        if state.tasks.len() >= self.settings.max_tasks {
            let Some(cancelled) = state.tasks.iter().position(|own| own.status == TaskStatus::Cancelled) else {
                let count = state.tasks.len();
                let what = format!("{count} tasks are kept; ask again when one has expired, or without a task");
                return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, what));
            };
            state.tasks.remove(cancelled);
        }
        state.count += 1;
        // A keyed hash under a key of the system's randomness, twice. It need not hold against more than guesses: an id
        // is good for nothing but on this connection, whose peer may list them all.
        let half = |n: u8| self.ids.hash_one((state.count, n));
        let id = format!("{:016x}{:016x}", half(0), half(1));
        let now = SystemTime::now();
        let (outcome, ended) = watch::channel(None);
        let status = TaskStatus::Working;
        let own = Own { id: id.clone(), status, message: None, created: now, updated: now, ttl, outcome, run: None };
        let task = self.view(&own);
        state.tasks.push(own);
        Ok(Begun { id, task, until: Instant::now() + ttl, outcome: ended })
    }

    /// Takes over what runs for a task; ends it where the task is gone.
    pub(crate) fn own(&self, id: &str, run: Task) {
        if let Some(own) = self.state().tasks.iter_mut().find(|own| own.id == id) {
            own.run = Some(run);
        }
    }

    /// Ends a task, unless it has ended before; how it stands then.
    pub(crate) fn finish(&self, id: &str, outcome: Outcome) -> Option<bowline_protocol::Task> {
        let (status, message) = match &outcome {
            Ok(_) => (TaskStatus::Completed, None),
            Err(error) => (TaskStatus::Failed, Some(excerpt(&error.message, 400))),
        };
        self.end(id, status, message, outcome)
    }

    /// Cancels a task; how it stands then.
    ///
    /// # Errors
    /// Where it is not there or has ended.
    pub(crate) fn cancel(&self, id: &str) -> Result<bowline_protocol::Task, ErrorObject> {
        let outcome = Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the task was cancelled"));
        if let Some(task) = self.end(id, TaskStatus::Cancelled, None, outcome) {
            return Ok(task);
        }
        let status = self.get(id)?.status;
        Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("the task is {status} already")))
    }

    fn end(
        &self,
        id: &str,
        status: TaskStatus,
        message: Option<String>,
        outcome: Outcome,
    ) -> Option<bowline_protocol::Task> {
        let mut state = self.state();
        let own = state.tasks.iter_mut().find(|own| own.id == id && !own.status.is_terminal())?;
        own.status = status;
        own.message = message;
        own.updated = SystemTime::now();
        own.outcome.send_replace(Some(outcome));
        let task = self.view(own);
        drop(state);
        Some(task)
    }

    /// Forgets a task whose time is over.
    pub(crate) fn forget(&self, id: &str) {
        let mut state = self.state();
        state.tasks.retain(|own| own.id != id);
    }

    /// How a task stands.
    pub(crate) fn get(&self, id: &str) -> Result<bowline_protocol::Task, ErrorObject> {
        self.state().tasks.iter().find(|own| own.id == id).map(|own| self.view(own)).ok_or_else(gone)
    }

    /// How all tasks stand.
    pub(crate) fn list(&self) -> Vec<bowline_protocol::Task> {
        self.state().tasks.iter().map(|own| self.view(own)).collect()
    }

    /// Where it is told what a task came to.
    pub(crate) fn outcome(&self, id: &str) -> Result<watch::Receiver<Option<Outcome>>, ErrorObject> {
        self.state().tasks.iter().find(|own| own.id == id).map(|own| own.outcome.subscribe()).ok_or_else(gone)
    }

    fn view(&self, own: &Own) -> bowline_protocol::Task {
        let mut task = bowline_protocol::Task::new(own.id.as_str(), own.status.clone())
            .with_created_at(timestamp(own.created))
            .with_last_updated_at(timestamp(own.updated))
            .with_ttl(TaskTtl::Millis(millis(own.ttl)))
            .with_poll_interval(millis(self.settings.poll_interval));
        task.status_message.clone_from(&own.message);
        task
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str) -> Outcome {
        Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, message))
    }

    #[test]
    fn tk_07_a_task_begins_at_work_and_ends_once() {
        let received = Received::new(ReceivedTasks::default());
        let ends: [fn(&Received, &str) -> bool; 3] = [
            |received, id| received.finish(id, Ok(RawJson::EMPTY_OBJECT)).is_some(),
            |received, id| received.finish(id, failed("no")).is_some(),
            |received, id| received.cancel(id).is_ok(),
        ];
        for (end, status) in ends.iter().zip(["completed", "failed", "cancelled"]) {
            let begun = received.begin(None).unwrap();
            assert_eq!(begun.task.status, TaskStatus::Working);
            assert!(begun.outcome.borrow().is_none());
            assert!(end(&received, &begun.id));
            for again in &ends {
                assert!(!again(&received, &begun.id), "{status}");
            }
            assert_eq!(received.get(&begun.id).unwrap().status.as_str(), status);
            assert_eq!(begun.outcome.borrow().as_ref().unwrap().is_ok(), status == "completed");
        }
        assert_eq!(received.cancel("x").unwrap_err().code, ErrorCode::INVALID_PARAMS);
    }

    #[test]
    fn tk_07_ids_differ_times_are_real_and_the_time_to_live_is_the_actual_one() {
        let received = Received::new(ReceivedTasks::default());
        let lives = |ttl| received.begin(ttl).unwrap().task.lifetime().unwrap();
        assert_eq!(lives(None), Duration::from_secs(3600));
        assert_eq!(lives(Some(Duration::from_secs(60))), Duration::from_secs(60));
        assert_eq!(lives(Some(Duration::ZERO)), MIN_TTL);
        assert_eq!(lives(Some(Duration::MAX)), Duration::from_secs(3600));
        let tasks = received.list();
        let ids: std::collections::HashSet<_> = tasks.iter().map(|task| task.task_id.as_str()).collect();
        assert!(ids.len() == 4 && ids.iter().all(|id| id.len() == 32));
        let other = Received::new(ReceivedTasks::default()).begin(None).unwrap();
        assert!(!ids.contains(other.id.as_str()), "nor are they those of another connection");
        assert!(tasks.iter().all(|task| task.created_at.as_ref().unwrap().ends_with('Z')));
        assert!(tasks.iter().all(|task| task.last_updated_at == task.created_at));
    }

    #[test]
    fn tk_07_their_number_is_bounded_and_cancelled_ones_make_room() {
        let received = Received::new(ReceivedTasks::default().max_tasks(2));
        let (first, second) = (received.begin(None).unwrap(), received.begin(None).unwrap());
        assert!(received.begin(None).unwrap_err().message.contains("2 tasks"));
        received.finish(&second.id, Ok(RawJson::EMPTY_OBJECT)).unwrap();
        assert!(received.begin(None).is_err(), "a result is kept for its time");
        received.cancel(&first.id).unwrap();
        let third = received.begin(None).unwrap();
        assert_eq!(received.list().len(), 2);
        assert!(received.get(&first.id).is_err() && received.get(&third.id).is_ok());
        assert!(Received::new(ReceivedTasks::default().max_tasks(0)).begin(None).is_err());
    }
}
