//! The calls of a client as a service.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_transport::BoxFuture;
use tower_service::Service;

use super::{Call, Reply};
use crate::error::{BoxError, Error};
use crate::supervisor::Supervisor;

/// What can run calls, behind a pointer.
pub(crate) trait Run: Send + Sync {
    fn run(&self, call: Call) -> BoxFuture<'static, Result<Reply, Error>>;
}

/// The calls of a client, as a service; a clone is cheap.
///
/// [`ClientBuilder::layer`](crate::ClientBuilder::layer) hands the inner one to a layer;
/// [`Client::service`](crate::Client::service) gives the outermost. It is always ready: what has to wait waits in the
/// future.
///
/// # Cancel safety
/// Dropping the future cancels the call, and tells the server so.
#[derive(Clone)]
pub struct CallService {
    pub(crate) run: Arc<dyn Run>,
    /// The client, for who holds the service outside of it.
    alive: Option<Arc<Supervisor>>,
}

impl CallService {
    pub(crate) fn new(run: impl Run + 'static) -> Self {
        Self { run: Arc::new(run), alive: None }
    }

    /// The service as one that keeps its client.
    pub(crate) fn keeping(mut self, supervisor: Arc<Supervisor>) -> Self {
        self.alive = Some(supervisor);
        self
    }
}

impl Service<Call> for CallService {
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut call = call;
        if let Some(supervisor) = &self.alive {
            call = call.through(supervisor);
            call.how.tells = true;
        }
        self.run.run(call.begun())
    }
}

impl fmt::Debug for CallService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallService").finish_non_exhaustive()
    }
}

/// A service of whatever type, whose errors become ours.
pub(crate) struct Erased<S>(pub(crate) S);

impl<S> Run for Erased<S>
where
    S: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn run(&self, call: Call) -> BoxFuture<'static, Result<Reply, Error>> {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Error::from_layer)?;
            service.call(call).await.map_err(Error::from_layer)
        })
    }
}
