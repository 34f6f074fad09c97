//! Being told of a task between two looks: by a subscription that names it (2026-07-28).
//!
//! Specification: SEP-2663, task status notifications. Servers need not tell, so nobody waits for this alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::{
    ErrorCode, GetTaskResult, RawJson, SubscriptionFilter, TaskStatus, TaskStatusNotificationParams, method,
};
use tokio::sync::Notify;

use crate::client::Client;
use crate::subscription::{Change, Subscription};
use crate::task::Task;
use crate::tasks::ticket::short;

/// How many tasks of one client are listened to at once; further ones are only looked at. Over HTTP each is a stream.
pub(crate) const MAX_LISTENERS: usize = 16;
/// The wait from which on it is worth a request to be told.
pub(crate) const WORTH_IT: Duration = Duration::from_secs(1);

/// Listens to one task until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    told: Arc<Told>,
    /// Ends the subscription with this.
    _task: Task,
}

/// What the server told and nobody has seen yet.
#[derive(Debug, Default)]
struct Told {
    /// The newest state.
    state: Mutex<Option<GetTaskResult>>,
    changed: Notify,
}

impl Told {
    fn state(&self) -> MutexGuard<'_, Option<GetTaskResult>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a state; without one, that it is time for a look.
    fn note(&self, state: Option<GetTaskResult>) {
        *self.state() = state;
        self.changed.notify_one();
    }
}

impl Listener {
    /// Asks the server to tell of a task, in the background; none where it is known not to, or enough are listened to.
    pub(crate) fn start(client: &Client, task_id: &str) -> Option<Self> {
        let permit = Arc::clone(client.supervisor().task_listeners()).try_acquire_owned().ok()?;
        let desk = Arc::clone(&client.link_now().owner.connection.tasks);
        if desk.is_never_told() {
            return None;
        }
        let told = Arc::new(Told::default());
        let (supervisor, id, telling) = (Arc::clone(client.supervisor()), task_id.to_owned(), Arc::clone(&told));
        let task = Task::spawn(async move {
            let filter = SubscriptionFilter::new().with_task_ids([id.clone()]);
            let opened = Subscription::open_with(&supervisor, filter, permit).await;
            drop(supervisor);
            match opened {
                Ok(subscription) => listen(subscription, &id, &telling).await,
                Err(error) => {
                    tracing::debug!(task = short(&id), %error, "a task is not listened to; it is looked at");
                    if error.code() == Some(ErrorCode::METHOD_NOT_FOUND) {
                        desk.never_told();
                    }
                }
            }
        });
        Some(Self { told, _task: task })
    }

    /// Waits until the server tells something.
    pub(crate) async fn changed(&self) {
        // Asked for first: what is told from here on is not missed.
        let changed = self.told.changed.notified();
        if self.told.state().is_none() {
            changed.await;
        }
    }

    /// The newest state that was told and not taken yet.
    pub(crate) fn take(&self) -> Option<GetTaskResult> {
        self.told.state().take()
    }
}

async fn listen(mut subscription: Subscription, id: &str, told: &Told) {
    while let Some(change) = subscription.next().await {
        match change {
            Change::Notification { method, params } if method == method::NOTIFICATIONS_TASKS => {
                if let Some(state) = params.as_ref().and_then(|params| read(params, id)) {
                    told.note(state);
                }
            }
            // What happened meanwhile was not told.
            Change::Resumed | Change::Missed(_) => told.note(None),
            _ => {}
        }
    }
    tracing::debug!(task = short(id), end = ?subscription.ended(), "a task is listened to no longer; it is looked at");
}

/// What a notification says of a task: its state where that is all of it, else that it changed. `None` where it is of
/// another task.
fn read(params: &RawJson, id: &str) -> Option<Option<GetTaskResult>> {
    let state: TaskStatusNotificationParams = params.parse().ok()?;
    if state.task.task_id != id {
        return None;
    }
    // By one definition of the specification it is the task alone.
    let is_whole = match state.task.status {
        TaskStatus::Completed => state.result.is_some(),
        TaskStatus::Failed => state.error.is_some(),
        TaskStatus::InputRequired => state.input_requests.is_some(),
        _ => true,
    };
    Some(is_whole.then_some(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Option<Option<GetTaskResult>> {
        read(&json.parse().unwrap(), "t1")
    }

    #[test]
    fn tx_07_a_state_is_taken_where_nothing_of_it_is_missing() {
        for whole in [
            r#"{"taskId":"t1","status":"working"}"#,
            r#"{"taskId":"t1","status":"cancelled"}"#,
            r#"{"taskId":"t1","status":"paused"}"#,
            r#"{"taskId":"t1","status":"completed","result":{"content":[]}}"#,
            r#"{"taskId":"t1","status":"failed","error":{"code":1,"message":"m"}}"#,
            r#"{"taskId":"t1","status":"input_required","inputRequests":{}}"#,
        ] {
            assert!(matches!(told(whole), Some(Some(_))), "{whole}");
        }
        for part in ["completed", "failed", "input_required"] {
            let json = format!(r#"{{"taskId":"t1","status":"{part}"}}"#);
            assert!(matches!(told(&json), Some(None)), "{part}");
        }
        for other in [r#"{"taskId":"t2","status":"cancelled"}"#, r#"{"status":"working"}"#, "{}", "[]", "7"] {
            assert!(told(other).is_none(), "{other}");
        }
    }
}
