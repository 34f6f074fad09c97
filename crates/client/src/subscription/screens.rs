//! Who decides on the resources of a subscription before the server is asked.

use std::future::Future;
use std::sync::Arc;

use bowline_protocol::{RawJson, SubscribeRequestParams, method};
use bowline_transport::BoxFuture;

use crate::error::Error;
use crate::plane::Call;
use crate::supervisor::Supervisor;

/// Those who decide, in their order.
#[derive(Clone, Default)]
pub(crate) struct SubscriptionScreens(Vec<Arc<Screen>>);

type Screen = dyn Fn(Call) -> BoxFuture<'static, Result<(), Error>> + Send + Sync;

impl SubscriptionScreens {
    pub(crate) fn push<R>(&mut self, screen: impl Fn(Call) -> R + Send + Sync + 'static)
    where
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.0.push(Arc::new(move |call| Box::pin(screen(call))));
    }

    /// Has all of them decide on all resources. The first error ends it.
    pub(super) async fn pass(&self, supervisor: &Supervisor, uris: &[String]) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        for uri in uris {
            let params = RawJson::from_serialize(&SubscribeRequestParams::new(uri.as_str()));
            let params = params.map_err(|error| Error::config(format!("the uri cannot be json: {error}")))?;
            let call = Call::new(method::RESOURCES_SUBSCRIBE).with_params(params).with_name(uri.as_str());
            let call = call.through(supervisor);
            for screen in &self.0 {
                screen(call.clone()).await?;
            }
        }
        Ok(())
    }
}
