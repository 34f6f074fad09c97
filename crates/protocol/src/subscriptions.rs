//! Subscriptions of 2026-07-28: one request whose stream brings what was asked for.
//!
//! Specification: basic/patterns/subscriptions.

use std::collections::HashSet;

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

impl SubscriptionFilter {
    /// Whether it names nothing.
    ///
    /// ```
    /// use bowline_protocol::SubscriptionFilter;
    ///
    /// assert!(SubscriptionFilter::new().with_tools_list_changed(false).is_empty());
    /// assert!(!SubscriptionFilter::new().with_resource_subscriptions(["note://1".to_owned()]).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        !(self.tools_list_changed.unwrap_or(false)
            || self.prompts_list_changed.unwrap_or(false)
            || self.resources_list_changed.unwrap_or(false))
            && self.resource_subscriptions.as_ref().is_none_or(Vec::is_empty)
            && self.task_ids.as_ref().is_none_or(Vec::is_empty)
    }

    /// What both name.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        self.combine(other, true)
    }

    /// What this one names and the other does not: of a filter that was asked for, what was not granted.
    ///
    /// ```
    /// use bowline_protocol::SubscriptionFilter;
    ///
    /// let granted = SubscriptionFilter::new().with_tools_list_changed(true);
    /// let asked = granted.clone().with_resource_subscriptions(["note://1".to_owned()]);
    /// assert_eq!(asked.without(&granted).resource_subscriptions.unwrap(), ["note://1"]);
    /// assert!(granted.without(&asked).is_empty());
    /// ```
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.combine(other, false)
    }

    /// What this one names, where the other naming it is `wanted`.
    fn combine(&self, other: &Self, wanted: bool) -> Self {
        let flag = |this: Option<bool>, other: Option<bool>| {
            (this == Some(true) && (other == Some(true)) == wanted).then_some(true)
        };
        let list = |this: &Option<Vec<String>>, other: &Option<Vec<String>>| {
            let other: HashSet<&str> = other.iter().flatten().map(String::as_str).collect();
            let mut seen = HashSet::new();
            let names = this.iter().flatten().filter(|name| other.contains(name.as_str()) == wanted);
            let names: Vec<String> = names.filter(|name| seen.insert(name.as_str())).cloned().collect();
            (!names.is_empty()).then_some(names)
        };
        Self {
            tools_list_changed: flag(self.tools_list_changed, other.tools_list_changed),
            prompts_list_changed: flag(self.prompts_list_changed, other.prompts_list_changed),
            resources_list_changed: flag(self.resources_list_changed, other.resources_list_changed),
            resource_subscriptions: list(&self.resource_subscriptions, &other.resource_subscriptions),
            task_ids: list(&self.task_ids, &other.task_ids),
            ..Self::default()
        }
    }
}

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

    #[test]
    fn su_02_asked_and_granted_are_compared_member_by_member() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = SubscriptionFilter::new()
            .with_tools_list_changed(true)
            .with_prompts_list_changed(true)
            .with_resources_list_changed(false)
            .with_resource_subscriptions(names(&["a", "b", "a", "c"]));
        let granted = SubscriptionFilter::new()
            .with_tools_list_changed(true)
            .with_resources_list_changed(true)
            .with_resource_subscriptions(names(&["b", "x"]));
        let both = SubscriptionFilter::new().with_tools_list_changed(true).with_resource_subscriptions(names(&["b"]));
        assert_eq!(asked.both(&granted), both);
        let rest =
            SubscriptionFilter::new().with_prompts_list_changed(true).with_resource_subscriptions(names(&["a", "c"]));
        assert_eq!(asked.without(&granted), rest);
        assert!(asked.without(&asked).is_empty() && !asked.both(&asked).is_empty());
    }
}
