//! What came of one message, played for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::{self, Message, Notification, Response};
use bowline_protocol::{ErrorCode, ErrorObject, ProgressToken, RawJson, RequestId, method};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::player::Pace;
use super::stage::Stage;
use super::{Does, Step};
use crate::wire;

/// What goes to the client.
pub(super) enum Out {
    Frame(Bytes),
    /// The connection ends.
    End,
}

/// The steps that were recorded, with the ids of this run in the place of the recorded ones.
pub(super) struct Script {
    steps: Vec<Step>,
    /// When the message was recorded.
    since: Duration,
    recorded: Option<RequestId>,
    id: Option<RequestId>,
    token: Option<ProgressToken>,
}

impl Script {
    pub(super) const fn new(
        steps: Vec<Step>,
        since: Duration,
        recorded: Option<RequestId>,
        id: Option<RequestId>,
        token: Option<ProgressToken>,
    ) -> Self {
        Self { steps, since, recorded, id, token }
    }

    /// The request that is answered.
    pub(super) const fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// The answer, where it is all there is.
    #[cfg(feature = "http")]
    pub(super) fn alone(&self) -> Option<Bytes> {
        let [Step { what, .. }] = self.steps.as_slice() else { return None };
        match what {
            Does::Say(message @ Message::Response(_)) => self.rewritten(message, None),
            Does::Fail(why) => self.failure(why),
            _ => None,
        }
    }

    /// Plays the steps; gives up when nobody listens any more.
    pub(super) async fn play(self, stage: Arc<Mutex<Stage>>, pace: Pace, out: mpsc::Sender<Out>) {
        let start = Instant::now();
        let mut waits = HashMap::new();
        for (n, step) in self.steps.iter().enumerate() {
            if pace == Pace::AsRecorded {
                tokio::time::sleep_until(start + step.at.saturating_sub(self.since)).await;
            }
            let frame = match &step.what {
                Does::Say(Message::Request(request)) => {
                    let recorded = self.answer_to(&request.id, n);
                    let (id, wait) = stage.lock().unwrap_or_else(PoisonError::into_inner).ask(recorded);
                    waits.insert(request.id.clone(), wait);
                    self.rewritten(&Message::Request(request.clone()), Some(&id))
                }
                Does::Say(message) => self.rewritten(message, None),
                Does::Await { id, .. } => {
                    if let Some(wait) = waits.remove(id)
                        && wait.await.is_err()
                    {
                        return;
                    }
                    None
                }
                Does::Fail(why) => self.failure(why),
                Does::End => {
                    // Whoever is gone needs no end.
                    let _ = out.send(Out::End).await;
                    return;
                }
            };
            if let Some(frame) = frame
                && out.send(Out::Frame(frame)).await.is_err()
            {
                return;
            }
        }
    }

    /// The recorded answer to a question of the server, and its line.
    fn answer_to(&self, asked: &RequestId, from: usize) -> Option<(usize, Value)> {
        self.steps.iter().skip(from).find_map(|step| match &step.what {
            Does::Await { id, line, answer } if id == asked => Some((*line, answer.clone())),
            _ => None,
        })
    }

    fn failure(&self, why: &str) -> Option<Bytes> {
        let error = ErrorObject::new(
            ErrorCode::INTERNAL_ERROR,
            format!("replay: this call failed when it was recorded: {why}"),
        );
        self.id.as_ref().map(|id| frame::encode_error(Some(id), &error))
    }

    /// A message with the ids of this run; none where nobody asked for it this time.
    fn rewritten(&self, message: &Message, fresh: Option<&RequestId>) -> Option<Bytes> {
        match message {
            Message::Response(Response { outcome: Ok(payload), .. }) => {
                let raw = payload.clone().into_raw().ok()?;
                self.id.as_ref().map(|id| frame::encode_result(id, &self.with_subscription(raw)))
            }
            // An error without an id belongs to no request then and now.
            Message::Response(Response { id: recorded, outcome: Err(error), .. }) => {
                let id = recorded.as_ref().and(self.id.as_ref());
                Some(frame::encode_error(id, error))
            }
            Message::Request(request) => {
                let id = fresh.unwrap_or(&request.id);
                Some(frame::encode_request(id, request.method.as_str(), request.params.as_ref(), None, None))
            }
            Message::Notification(notification) if notification.method.as_str() == method::NOTIFICATIONS_PROGRESS => {
                self.progress(notification)
            }
            Message::Notification(notification) if notification.method.as_str() == method::NOTIFICATIONS_CANCELLED => {
                let mut params = notification.params.as_ref()?.to_value();
                let (Some(recorded), Some(id)) = (&self.recorded, &self.id) else { return None };
                let named = params.get_mut("requestId")?;
                if *named == serde_json::json!(recorded) {
                    *named = serde_json::json!(id);
                }
                Some(frame::encode_notification(method::NOTIFICATIONS_CANCELLED, Some(&RawJson::from(params)), None))
            }
            Message::Notification(notification) => match &notification.params {
                Some(params) => {
                    let params = self.with_subscription(params.clone());
                    Some(frame::encode_notification(notification.method.as_str(), Some(&params), None))
                }
                None => wire::encode(message).ok(),
            },
        }
    }

    fn progress(&self, notification: &Notification) -> Option<Bytes> {
        let token = self.token.as_ref()?;
        let mut params = notification.params.as_ref()?.to_value();
        *params.get_mut("progressToken")? = serde_json::json!(token);
        Some(frame::encode_notification(method::NOTIFICATIONS_PROGRESS, Some(&RawJson::from(params)), None))
    }

    /// Replaces the id of a subscription, which is that of its request.
    fn with_subscription(&self, raw: RawJson) -> RawJson {
        const NAME: &str = "io.modelcontextprotocol/subscriptionId";
        let (Some(recorded), Some(id)) = (&self.recorded, &self.id) else { return raw };
        if !raw.as_str().contains(NAME) {
            return raw;
        }
        let mut value = raw.to_value();
        match value.get_mut("_meta").and_then(|meta| meta.get_mut(NAME)) {
            Some(named) if *named == serde_json::json!(recorded) => *named = serde_json::json!(id),
            _ => return raw,
        }
        RawJson::from(value)
    }
}
