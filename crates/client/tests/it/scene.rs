//! A server whose connections can be lost, and a way to it that can be closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_client::{Client, Event};
use bowline_protocol::{Resource, ResourceContents, Revision, Tool};
use bowline_testkit::{MockServer, MockServerBuilder};
use bowline_transport::{BoxFuture, Connect, Transport, TransportError, TransportErrorKind, WrapConnect};

/// A way to a server that may fail for a while.
struct Way<C> {
    inner: C,
    lives_on: bool,
    failures: Arc<AtomicU32>,
    attempts: Arc<AtomicU32>,
}

impl<C: Connect> WrapConnect for Way<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.inner
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if fails {
            let error = TransportError::new(TransportErrorKind::Connect, "the way is closed");
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.connect()
    }

    fn server_lives_on(&self) -> bool {
        self.lives_on
    }
}

/// A server, and how often it was connected to.
pub(crate) struct Scene {
    pub(crate) server: MockServer,
    pub(crate) failures: Arc<AtomicU32>,
    pub(crate) attempts: Arc<AtomicU32>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::over(MockServer::builder())
    }

    /// One that speaks every revision.
    pub(crate) fn of_all_revisions() -> Self {
        Self::over(MockServer::builder().revisions(Revision::ALL))
    }

    fn over(builder: MockServerBuilder) -> Self {
        let note = Resource::new("note://1", "note");
        let server = builder
            .tool(Tool::new("echo", serde_json::json!({"type": "object"})), |_| async {
                Ok(bowline_protocol::CallToolResult::text("hi"))
            })
            .resource(note, ResourceContents::text("note://1", "x"))
            .subscriptions()
            .logging()
            .page_size(1)
            .build();
        Self { server, failures: Arc::default(), attempts: Arc::default() }
    }

    /// The way to it, as one that lives on without its connections.
    pub(crate) fn way(&self) -> impl Connect + use<> {
        self.way_to(true)
    }

    /// The way to it, as one that ends with its connection and is started anew with the next one.
    pub(crate) fn child(&self) -> impl Connect + use<> {
        self.way_to(false)
    }

    fn way_to(&self, lives_on: bool) -> impl Connect + use<> {
        Way {
            inner: self.server.connector(),
            lives_on,
            failures: Arc::clone(&self.failures),
            attempts: Arc::clone(&self.attempts),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::builder().connect(self.way()).await.unwrap()
    }
}

/// Waits until the client has noticed the loss.
pub(crate) async fn lose(scene: &Scene, client: &Client) {
    let mut events = client.events();
    scene.server.disconnect();
    while !matches!(events.next().await, Some(Event::Disconnected(_) | Event::Closed(_))) {}
}
