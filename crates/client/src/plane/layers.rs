//! The layers that a client is built with.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;
use tower_service::Service;

use super::service::Erased;
use super::{Call, CallService, Reply};
use crate::error::BoxError;

/// Layers, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<Arc<dyn Wrap>>);

trait Wrap: Send + Sync {
    fn wrap(&self, inner: CallService) -> CallService;
}

struct Wrapper<L>(L);

impl<L> Wrap for Wrapper<L>
where
    L: Layer<CallService> + Send + Sync,
    L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
    <L::Service as Service<Call>>::Error: Into<BoxError>,
    <L::Service as Service<Call>>::Future: Send,
{
    fn wrap(&self, inner: CallService) -> CallService {
        CallService::new(Erased(self.0.layer(inner)))
    }
}

impl Layers {
    /// Adds one inside of those before.
    pub(crate) fn push<L>(&mut self, layer: L)
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Call>>::Error: Into<BoxError>,
        <L::Service as Service<Call>>::Future: Send,
    {
        self.0.push(Arc::new(Wrapper(layer)));
    }

    /// The outermost service; none without layers.
    pub(crate) fn over(&self, innermost: CallService) -> Option<CallService> {
        let wrapped = self.0.iter().rev().fold(innermost, |inner, layer| layer.wrap(inner));
        (!self.0.is_empty()).then_some(wrapped)
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} layers", self.0.len())
    }
}
