//! Subscriptions of 2026-07-28: one request whose stream brings what was asked for.
//!
//! Specification: basic/utilities/subscriptions.

use serde::Deserialize;

use crate::id::RequestId;
use crate::meta::Meta;
use crate::result::plain_result;
use crate::wire::object;

object! {
    /// What a client wants to be told of, or a server will tell.
    #[derive(Default)]
    pub struct SubscriptionFilter {
        optional {
            /// Changes of the list of tools.
            tools_list_changed: bool => with_tools_list_changed,
            /// Changes of the list of prompts.
            prompts_list_changed: bool => with_prompts_list_changed,
            /// Changes of the list of resources.
            resources_list_changed: bool => with_resources_list_changed,
            /// Changes of these resources, by URI.
            resource_subscriptions: Vec<String> => with_resource_subscriptions,
            /// Changes of these tasks (extension `io.modelcontextprotocol/tasks`).
            task_ids: Vec<String> => with_task_ids,
        }
    }
}

object! {
    /// The parameters of `subscriptions/listen`.
    pub struct SubscriptionsListenRequestParams (meta) {
        required {
            /// What to be told of.
            notifications: SubscriptionFilter,
        }
    }
}

object! {
    /// The parameters of `notifications/subscriptions/acknowledged`: what the server will tell, perhaps less than asked.
    pub struct SubscriptionsAcknowledgedNotificationParams (meta) {
        required {
            /// What the server will tell.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            notifications: SubscriptionFilter,
        }
    }
}

object! {
    /// The end of a subscription, in order.
    #[derive(Default)]
    pub struct SubscriptionsListenResult (meta, result_type) {}
}
plain_result!(SubscriptionsListenResult);

impl Meta {
    const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

    /// The subscription that a notification, or the end of it, belongs to: the id of its request (2026-07-28).
    pub fn subscription_id(&self) -> Option<RequestId> {
        self.get(Self::SUBSCRIPTION_ID).and_then(|value| RequestId::deserialize(value).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_resources_005_a_server_may_acknowledge_less_than_was_asked() {
        let text =
            r#"{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":7}}"#;
        let params: SubscriptionsAcknowledgedNotificationParams = serde_json::from_str(text).unwrap();
        assert_eq!(params.notifications.tools_list_changed, Some(true));
        assert_eq!(params.notifications.resource_subscriptions, None);
        assert_eq!(params.meta.unwrap().subscription_id(), Some(RequestId::from(7)));
    }
}
