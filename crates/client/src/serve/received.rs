//! Requests of the server that run as tasks, and what it asks about these (2025-11-25, basic/utilities/tasks).

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::frame::Request;
use bowline_protocol::{
    CreateTaskResult, ErrorCode, ErrorObject, GetTaskRequestParams, ListTasksResult, Meta, RawJson, Revision,
    TaskMetadata, excerpt, method,
};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::{AT_ONCE, Server, answer, encode, handle, meta_of, read};
use crate::asked::{self, Ask};
use crate::handlers::RequestContext;
use crate::task::Task;
use crate::tasks::{self, Outcome};

impl Server {
    /// Whether a request is to be run as a task, and for how long that is to be kept at most.
    pub(super) fn begins_task(
        &self,
        request: &Request,
        ask: &Ask,
        revision: Revision,
    ) -> Result<Option<Option<Duration>>, ErrorObject> {
        #[derive(serde::Deserialize)]
        struct Params {
            #[serde(default)]
            task: Option<RawJson>,
        }

        let declared = self.connection.introduction.declared.in_revision(revision).tasks;
        if !declared || !matches!(ask, Ask::Sample(_) | Ask::Elicit(_)) {
            return Ok(None);
        }
        let Some(task) = read::<Params>(request.params.as_ref()).and_then(|params| params.task) else {
            return Ok(None);
        };
        let metadata: TaskMetadata =
            task.parse().map_err(|error| asked::invalid(format!("task: {}", excerpt(&error.to_string(), 200))))?;
        Ok(Some(metadata.ttl.map(Duration::from_millis)))
    }

    /// Begins a task: answers at once, and has the handler run.
    pub(super) async fn begin_task(&mut self, request: &Request, ask: Ask, ttl: Option<Duration>) {
        let begun = match self.received.begin(ttl) {
            Ok(begun) => begun,
            Err(error) => return self.post(&request.id, Err(error)).await,
        };
        // First, so that nothing about the task comes before its id.
        self.post(&request.id, encode(&CreateTaskResult::nested(begun.task))).await;
        let mut meta = Meta::new();
        meta.set_related_task(&begun.id);
        let token = meta_of(request).as_ref().and_then(Meta::progress_token);
        let server = self.connection.server().map(|server| Arc::new(server.info.clone()));
        let context =
            RequestContext::new(request.id.clone(), server).reporting(token, Some(meta), &self.connection.transport);
        let (received, connection) = (Arc::downgrade(&self.received), Arc::clone(&self.connection));
        let (id, until, mut outcome) = (begun.id.clone(), begun.until, begun.outcome);
        let run = Task::spawn(async move {
            let work = async {
                let _serving = connection.serving();
                let reports = context.reports();
                // A task of its own, so that a handler that panics fails this one and nothing else.
                let mut handling = JoinSet::new();
                let handlers = connection.handlers.clone();
                handling.spawn(async move { handle(&handlers, ask, context).await });
                let handled = handling.join_next().await;
                drop(reports);
                match handled {
                    Some(Ok(outcome)) => outcome,
                    _ => Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the handler failed")),
                }
            };
            let ended: Option<Outcome> = tokio::select! {
                ended = work => Some(ended),
                _ = outcome.wait_for(Option::is_some) => None,
                () = sleep_until(until) => {
                    Some(Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the time of the task is over")))
                }
            };
            let task = ended.and_then(|ended| received.upgrade()?.finish(&id, ended));
            if let Some(params) = task.and_then(|task| RawJson::from_serialize(&task).ok()) {
                // Nobody relies on it; the server looks by itself.
                let _ = connection.notify(method::NOTIFICATIONS_TASKS_STATUS, Some(&params), None).await;
            }
            sleep_until(until).await;
            if let Some(received) = received.upgrade() {
                received.forget(&id);
            }
        });
        self.received.own(&begun.id, run);
    }

    /// Answers what the server asks about its tasks.
    pub(super) async fn about_task(&mut self, request: &Request) {
        let answered = match request.method.as_str() {
            method::TASKS_GET => named(request).and_then(|id| encode(&self.received.get(&id)?)),
            method::TASKS_CANCEL => named(request).and_then(|id| encode(&self.received.cancel(&id)?)),
            method::TASKS_LIST => self.list_tasks(request),
            method::TASKS_RESULT => match self.await_result(request) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            other => {
                Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("unknown method {}", excerpt(other, 80))))
            }
        };
        self.post(&request.id, answered).await;
    }

    /// All tasks on one page: their number is bounded.
    fn list_tasks(&self, request: &Request) -> Outcome {
        #[derive(serde::Deserialize)]
        struct Params {
            cursor: Option<RawJson>,
        }

        if read::<Params>(request.params.as_ref()).is_some_and(|params| params.cursor.is_some()) {
            return Err(asked::invalid("unknown cursor; list without one"));
        }
        encode(&ListTasksResult::new(self.received.list()))
    }

    /// Answers with what a task came to, once it has ended.
    fn await_result(&mut self, request: &Request) -> Result<(), ErrorObject> {
        let task_id = named(request)?;
        let mut outcome = self.received.outcome(&task_id)?;
        if self.running.len() >= AT_ONCE || self.running.contains_key(&request.id) {
            return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "too many requests are open; ask again later"));
        }
        let (connection, id) = (Arc::clone(&self.connection), request.id.clone());
        let task = self.tasks.spawn(async move {
            let outcome = match outcome.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(tasks::gone())),
                Err(_) => Err(tasks::gone()),
            };
            let mut meta = Meta::new();
            meta.set_related_task(&task_id);
            answer(&connection, &id, outcome.map(|result| tasks::relate(result, Some(&meta)))).await;
        });
        self.ids.insert(task.id(), request.id.clone());
        self.running.insert(request.id.clone(), task);
        Ok(())
    }
}

/// The task that a request names.
fn named(request: &Request) -> Result<String, ErrorObject> {
    let params: Option<GetTaskRequestParams> = read(request.params.as_ref());
    params.map(|params| params.task_id).ok_or_else(|| asked::invalid("taskId is missing or no string"))
}
