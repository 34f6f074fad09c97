//! Requests of 2026-07-28 that have a stream of their own, as over HTTP.

use std::io;
use std::sync::Arc;

use bowline_protocol::frame::{self, Incoming, Message, Request};
use bowline_protocol::{Era, ErrorObject, Meta, method};
use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncWrite;
use tokio::task::JoinSet;

use super::modern;
use super::output::{Out, Style};
use super::session::{Session, drain};
use super::{MockServer, Shared};

impl MockServer {
    /// Serves one request until it is answered or `gone` is ready, which cancels it.
    ///
    /// With a refusal the request is answered with that, where no misbehaviour says otherwise.
    pub(crate) async fn serve_alone(
        &self,
        frame: Bytes,
        refusal: Option<ErrorObject>,
        writer: impl AsyncWrite + Send + Unpin,
        gone: impl Future<Output = ()> + Send,
    ) {
        let (session, queue) = Session::begin(Arc::clone(&self.0), true);
        let carrying = session.carry(frame, refusal, gone);
        // How it ended is the client's to see.
        let _ = session.run(queue, writer, &Style::default(), carrying).await;
    }

    /// Whether a revision of an era is served.
    pub(crate) fn speaks(&self, era: Era) -> bool {
        self.0.config.speaks(era)
    }

    /// Notes what was received and needs no answer.
    pub(crate) fn note(&self, frame: Bytes) {
        let connection = self.0.journal.begin();
        self.0.journal.push(connection, frame);
        self.0.journal.end();
    }

    /// Whether a request is refused whatever its handler says.
    pub(crate) fn refuses(&self, request: &Request, meta: Option<&Meta>) -> bool {
        match self.0.terms(meta) {
            Ok(terms) => self.0.refusal(request, &terms).is_some(),
            Err(_) => true,
        }
    }

    /// The schema of a tool's arguments.
    pub(crate) fn tool_schema(&self, name: &str) -> Option<Value> {
        let catalog = self.0.catalog();
        catalog.tools.iter().find(|(tool, _)| tool.name == name).map(|(tool, _)| tool.input_schema.to_value())
    }

    /// An error that names the revisions that are served.
    pub(crate) fn unsupported_version(&self, requested: &str) -> ErrorObject {
        Shared::unsupported_version(&self.0, requested)
    }
}

impl Session {
    /// Gives up all requests.
    fn cancel_all(&self) {
        for cancel in self.state().running.values() {
            cancel.send_replace(true);
        }
    }

    /// Carries one request out and lets the writer finish.
    async fn carry(
        self: &Arc<Self>,
        frame: Bytes,
        refusal: Option<ErrorObject>,
        gone: impl Future<Output = ()>,
    ) -> io::Error {
        self.server.journal.push(self.connection, frame.clone());
        let mut tasks = JoinSet::new();
        // The front lets requests alone through.
        if let Ok(Incoming::Message(Message::Request(request))) = frame::decode(&frame) {
            self.start(request, refusal, &mut tasks).await;
        }
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = gone => {
                // Specification: basic/transports/streamable-http. Closing the stream cancels the request.
                self.cancel_all();
                drain(&mut tasks).await;
            }
        }
        self.write(Out::Close(0)).await;
        std::future::pending().await
    }
}

/// Whether a request can only be one of 2026-07-28.
pub(crate) fn is_modern(request: &Request, meta: Option<&Meta>) -> bool {
    let method = request.method.as_str();
    modern::is_stateless(meta) || matches!(method, method::SERVER_DISCOVER | method::SUBSCRIPTIONS_LISTEN)
}
