//! The methods of tasks.

use std::sync::Arc;

use bowline_protocol::frame::Request;
use bowline_protocol::{
    CancelTaskRequestParams, Entries, ErrorCode, ErrorObject, GetTaskRequestParams, RawJson, TaskStatus, method,
};
use serde::Deserialize;
use serde_json::json;

use super::super::context::Context;
use super::super::dispatch::{Answer, not_found, params};
use super::super::session::Session;
use super::super::to_raw;
use super::Job;
use crate::misbehave::Quirk;

impl Session {
    /// The answer of a method of tasks.
    pub(crate) async fn handle_task(&self, request: &Request, context: &Context) -> Answer {
        let stateless = context.terms().is_some();
        match (request.method.as_str(), stateless) {
            (method::TASKS_GET, _) => {
                let job = self.job(&params::<GetTaskRequestParams>(request)?.task_id, context)?;
                {
                    let mut state = job.state();
                    state.seen.0 += 1;
                    state.seen.1 += usize::from(state.status.is_terminal());
                    if state.seen.0 > 1 && self.server.config.has_quirk(&Quirk::TaskVanishes) {
                        return Err(unknown(&job.id));
                    }
                }
                to_raw(&job.view(&self.server, true)?)
            }
            (method::TASKS_CANCEL, _) => {
                let job = self.job(&params::<CancelTaskRequestParams>(request)?.task_id, context)?;
                let ended = !job.set(TaskStatus::Cancelled, None);
                if !ended {
                    job.cancel.send_replace(true);
                    self.server.publish_job(&job).await;
                }
                match (stateless, ended) {
                    (true, _) => Ok(RawJson::EMPTY_OBJECT),
                    (false, true) => {
                        let text = format!("the task {} has ended already", job.id);
                        Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, text))
                    }
                    (false, false) => to_raw(&job.view(&self.server, true)?),
                }
            }
            (method::TASKS_UPDATE, true) => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Update {
                    task_id: String,
                    input_responses: Entries<RawJson>,
                }

                let update: Update = params(request)?;
                let job = self.job(&update.task_id, context)?;
                job.answered(&update.input_responses);
                self.server.publish_job(&job).await;
                Ok(RawJson::EMPTY_OBJECT)
            }
            (method::TASKS_RESULT, false) => {
                let job = self.job(&params::<GetTaskRequestParams>(request)?.task_id, context)?;
                job.outcome().await
            }
            (method::TASKS_LIST, false) => {
                let jobs = self.server.tasks.of(self.connection);
                let (page, next) = self.page(request, &jobs)?;
                let tasks: Result<Vec<_>, _> = page.iter().map(|job| job.view(&self.server, false)).collect();
                let mut result = json!({ "tasks": tasks? });
                if let (Some(next), Some(members)) = (next, result.as_object_mut()) {
                    members.insert("nextCursor".to_owned(), json!(next));
                }
                Ok(RawJson::from(result))
            }
            (method, _) => Err(not_found(method)),
        }
    }

    fn job(&self, id: &str, context: &Context) -> Result<Arc<Job>, ErrorObject> {
        let owner = context.terms().is_none().then_some(self.connection);
        self.server.tasks.get(id, owner).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown task: {id}"))
}
