//! Subscriptions to resources, decided on before a resource is held.

use std::sync::Arc;

use bowline_client::{Call, Error};
use bowline_protocol::{RawJson, SubscribeRequestParams, SubscriptionsListenRequestParams, method};

use super::decide::named;
use super::lists::Seat;
use super::service::{admitted, refused};
use crate::guard::Core;
use crate::refusal::Refusal;
use crate::unique::names_repeat;

/// Decides on a `resources/subscribe` that the client makes by itself, or has a `subscriptions/listen` do.
pub(super) async fn admit(core: &Arc<Core>, seat: &Arc<Seat>, call: Call) -> Result<(), Error> {
    admitted(core, seat, call).await
}

/// Decides on all resources of a `subscriptions/listen`, each as its `resources/subscribe`.
pub(super) async fn admit_all(core: &Arc<Core>, seat: &Arc<Seat>, call: &Call) -> Result<(), Error> {
    let Some(params) = call.params() else { return Ok(()) };
    let asked = (!names_repeat(params)).then(|| params.parse::<SubscriptionsListenRequestParams>().ok()).flatten();
    let Some(asked) = asked else {
        let why = "its parameters do not say once, and as the specification has it, what to be told of; write them so";
        let error = Refusal::new(format!("{} does not go: {why}", named(core, seat, call))).denied();
        return Err(refused(core, seat, call, error).await);
    };
    for uri in asked.notifications.resource_subscriptions.unwrap_or_default() {
        let params = RawJson::from_serialize(&SubscribeRequestParams::new(uri));
        let params = params.map_err(|error| Error::config(format!("the uri cannot be json: {error}")))?;
        let mut subscribe = Call::new(method::RESOURCES_SUBSCRIBE).with_params(params);
        if let Some(deadline) = call.deadline() {
            subscribe = subscribe.with_total(deadline.saturating_duration_since(tokio::time::Instant::now()));
        }
        admit(core, seat, subscribe).await?;
    }
    Ok(())
}
