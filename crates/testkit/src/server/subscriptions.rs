//! Subscriptions of 2026-07-28: requests whose answer is what happens until they end.
//!
//! Specification: basic/patterns/subscriptions.

use std::sync::Arc;

use bowline_protocol::frame::{self, Request};
use bowline_protocol::{
    ErrorCode, ErrorObject, Meta, RawJson, RequestId, SubscriptionFilter, SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams, method,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Shared;
use super::catalog::Kind;
use super::context::Context;
use super::dispatch::{Answer, params};
use super::output::Out;
use super::session::Session;
use super::to_raw;
use crate::misbehave::Misbehaviour;

/// The key of the subscription in `_meta`.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// How the server ends a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With its result.
    Done,
    /// With `notifications/cancelled` and no result.
    Cancelled,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) id: RequestId,
    /// What was granted.
    filter: SubscriptionFilter,
    end: watch::Sender<Option<End>>,
}

impl Subscription {
    /// Whether it wants to know that a list changed.
    fn wants(&self, kind: Kind) -> bool {
        let wanted = match kind {
            Kind::Tools => self.filter.tools_list_changed,
            Kind::Resources => self.filter.resources_list_changed,
            Kind::Prompts => self.filter.prompts_list_changed,
        };
        wanted.unwrap_or(false)
    }

    /// Whether it wants to know of changes of a resource.
    fn wants_resource(&self, uri: &str) -> bool {
        self.filter.resource_subscriptions.iter().flatten().any(|wanted| wanted == uri)
    }

    /// Whether it wants to know of changes of a task.
    fn wants_task(&self, id: &str) -> bool {
        self.filter.task_ids.iter().flatten().any(|wanted| wanted == id)
    }
}

/// The `_meta` of what belongs to a subscription.
pub(crate) fn tag(id: &RequestId) -> Meta {
    Meta::new().with(SUBSCRIPTION_ID, json!(id))
}

/// Takes a subscription off its session when it ends in any way.
struct Registered<'a> {
    session: &'a Session,
    id: &'a RequestId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.session.unlisten(self.id);
    }
}

impl Session {
    /// Serves `subscriptions/listen` until either side ends it.
    pub(crate) async fn listen(&self, request: &Request, context: &Context, faults: &[Misbehaviour]) -> Answer {
        let params: SubscriptionsListenRequestParams = params(request)?;
        let filter = self.server.grant(params.notifications);
        let id = &request.id;
        let mut acknowledged = SubscriptionsAcknowledgedNotificationParams::new(filter.clone());
        acknowledged.meta = Some(tag(id));
        let acknowledged = to_raw(&acknowledged)?;
        let (end, mut ended) = watch::channel(None);
        if faults.contains(&Misbehaviour::EarlyEvent) {
            let early = frame::encode_notification(method::NOTIFICATIONS_TOOLS_LIST_CHANGED, None, Some(&tag(id)));
            self.write(Out::Line(early)).await;
        }
        let silent = faults.contains(&Misbehaviour::NoAcknowledgement);
        let method = method::NOTIFICATIONS_SUBSCRIPTIONS_ACKNOWLEDGED;
        let first = (!silent).then(|| frame::encode_notification(method, Some(&acknowledged), None));
        let subscription = Arc::new(Subscription { id: id.clone(), filter, end });
        self.begin_listening(subscription, first).await;
        let _registered = Registered { session: self, id };
        let end = tokio::select! {
            // A cancelled request gets no answer, whatever is given here.
            () = context.cancelled() => return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "cancelled")),
            end = ended.wait_for(Option::is_some) => end.ok().and_then(|end| *end),
        };
        if end == Some(End::Cancelled) {
            let params = RawJson::from(json!({ "requestId": id, "reason": "the server ends the subscription" }));
            self.notify(method::NOTIFICATIONS_CANCELLED, Some(&params)).await;
            context.give_up();
        }
        Ok(RawJson::from(json!({ "resultType": "complete", "_meta": { SUBSCRIPTION_ID: id } })))
    }

    /// Sends a notification to each subscription that wants it.
    async fn publish(&self, wants: impl Fn(&Subscription) -> bool, method: &str, params: Option<&RawJson>) {
        let wanting: Vec<_> = self.listening().into_iter().filter(|subscription| wants(subscription)).collect();
        for subscription in wanting {
            let note = frame::encode_notification(method, params, Some(&tag(&subscription.id)));
            self.write(Out::Line(note)).await;
        }
    }

    /// Tells the subscriptions that a list changed.
    pub(crate) async fn publish_change(&self, kind: Kind) {
        self.publish(|subscription| subscription.wants(kind), kind.changed(), None).await;
    }

    /// Tells the subscriptions that a resource changed.
    pub(crate) async fn publish_update(&self, uri: &str, params: &RawJson) {
        let method = method::NOTIFICATIONS_RESOURCES_UPDATED;
        self.publish(|subscription| subscription.wants_resource(uri), method, Some(params)).await;
    }

    /// Tells the subscriptions how a task stands.
    pub(crate) async fn publish_task(&self, id: &str, params: &RawJson) {
        self.publish(|subscription| subscription.wants_task(id), method::NOTIFICATIONS_TASKS, Some(params)).await;
    }

    /// Ends all subscriptions.
    pub(crate) fn end_listening(&self, how: End) {
        for subscription in self.listening() {
            subscription.end.send_replace(Some(how));
        }
    }
}

impl Shared {
    /// What of a filter is granted: what was declared, and tasks that are there.
    fn grant(&self, asked: SubscriptionFilter) -> SubscriptionFilter {
        let revision = self.config.newest_stateless();
        let declared = self.config.capabilities(&self.catalog(), revision);
        let has = |path: &str| declared.pointer(path) == Some(&Value::Bool(true));
        let mut granted = SubscriptionFilter::new();
        let wanted = |flag: Option<bool>, path: &str| flag.filter(|flag| *flag && has(path));
        granted.tools_list_changed = wanted(asked.tools_list_changed, "/tools/listChanged");
        granted.prompts_list_changed = wanted(asked.prompts_list_changed, "/prompts/listChanged");
        granted.resources_list_changed = wanted(asked.resources_list_changed, "/resources/listChanged");
        granted.resource_subscriptions = asked.resource_subscriptions.filter(|_| has("/resources/subscribe"));
        let known = |ids: Vec<String>| ids.into_iter().filter(|id| self.tasks.get(id, None).is_some()).collect();
        granted.task_ids = asked.task_ids.map(known);
        granted
    }
}
