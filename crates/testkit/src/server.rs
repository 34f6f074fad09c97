//! A server that tests and demonstrations program.

#[cfg(feature = "http")]
mod alone;
mod builder;
mod call;
mod catalog;
mod context;
mod dispatch;
mod modern;
mod output;
mod revise;
mod rounds;
mod session;
mod subscriptions;
mod tasks;

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bowline_protocol::{
    CallToolResult, ErrorCode, ErrorObject, GetPromptResult, Prompt, RawJson, Resource, ResourceContents, Tool,
};
use bowline_transport::MemoryConnect;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::watch;

pub use self::builder::MockServerBuilder;
pub use self::call::{Call, CompletionCall, MethodCall, PromptCall, ResourceRead, ToolCall};
pub use self::catalog::HandlerResult;
pub use self::context::Context;

use self::builder::Config;
use self::catalog::{Catalog, Kind};
pub(crate) use self::output::{Out, flood_stderr};
use self::rounds::Seals;
use self::session::Session;
pub(crate) use self::session::encode;
use self::subscriptions::End;
pub(crate) use self::subscriptions::tag;
use self::tasks::Tasks;
#[cfg(feature = "http")]
pub(crate) use self::{alone::is_modern, modern::meta_of};
use crate::journal::{Journal, Recorded};
use crate::misbehave::{Misbehaviour, Rules, When};

/// An MCP server whose tools, resources and prompts are closures, and which misbehaves on demand.
///
/// It serves every revision, those with a handshake and 2026-07-28, any number of connections at once, and keeps a
/// [`Journal`] of what it received. Clones are handles to the same server.
///
/// ```
/// use bowline_protocol::{CallToolResult, Tool};
/// use bowline_testkit::MockServer;
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = MockServer::builder()
///     .tool(Tool::new("shout", json!({"type": "object"})), |call| async move {
///         let text: String = call.argument("text")?;
///         Ok(CallToolResult::text(text.to_uppercase()))
///     })
///     .build();
/// // Any byte stream does; `connector` is for clients of this workspace.
/// let input = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
/// let mut output = Vec::new();
/// server.serve(input.as_bytes(), &mut output).await?;
/// assert_eq!(output, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MockServer(Arc<Shared>);

/// What all connections of a server share.
pub(crate) struct Shared {
    config: Config,
    catalog: Mutex<Catalog>,
    rules: Mutex<Rules>,
    journal: Journal,
    sessions: Mutex<Vec<Weak<Session>>>,
    /// Counts the calls of `disconnect`.
    disconnects: watch::Sender<u64>,
    seals: Seals,
    tasks: Tasks,
}

impl MockServer {
    /// A server without any capability, to be filled.
    pub fn builder() -> MockServerBuilder {
        MockServerBuilder::new()
    }

    /// Connects to this server in memory; each connection is a session of its own.
    ///
    /// A session ends when the client's end of the connection is closed or dropped.
    pub fn connector(&self) -> MemoryConnect<impl Fn(DuplexStream) + Send + Sync + use<>> {
        let shared = Arc::clone(&self.0);
        MemoryConnect::new(move |pipe| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let (reader, writer) = tokio::io::split(pipe);
                // How it ended is the client's to see.
                let _ = session::serve(shared, reader, writer, false).await;
            });
        })
    }

    /// Serves one connection over a byte stream until either side ends it.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the session and its handlers.
    pub async fn serve(
        &self,
        reader: impl AsyncRead + Send + Unpin,
        writer: impl AsyncWrite + Send + Unpin,
    ) -> io::Result<()> {
        session::serve(Arc::clone(&self.0), reader, writer, false).await.map(|_| ())
    }

    /// Serves standard input and output of this process until the input ends, and says how the process should exit.
    ///
    /// The code is 0 unless a misbehaviour asked for another. Reading standard input cannot be interrupted: after
    /// this, shut the runtime down in the background rather than waiting for it.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the session and its handlers.
    pub async fn serve_stdio(&self) -> io::Result<ExitCode> {
        let code = session::serve(Arc::clone(&self.0), tokio::io::stdin(), tokio::io::stdout(), true).await?;
        Ok(ExitCode::from(code))
    }

    /// What was received so far.
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// The lines that were received so far.
    pub fn received(&self) -> Vec<Recorded> {
        self.0.journal.lines()
    }

    /// Adds a rule for misbehaving while the server runs.
    pub fn misbehave(&self, when: When, what: Misbehaviour) {
        self.0.rules().push(when, what);
    }

    /// Adds or replaces a tool, and tells the clients that the list changed.
    ///
    /// # Cancel safety
    /// The tool is there once the future was polled; dropping it then leaves some clients untold.
    pub async fn add_tool<F, R>(&self, tool: Tool, handler: F)
    where
        F: Fn(ToolCall) -> R + Send + Sync + 'static,
        R: HandlerResult<CallToolResult>,
    {
        self.0.catalog().put_tool(tool, catalog::handler(handler));
        self.changed(Kind::Tools).await;
    }

    /// Takes a tool away, and tells the clients that the list changed. `false` if there was none.
    ///
    /// # Cancel safety
    /// As [`add_tool`](Self::add_tool).
    pub async fn remove_tool(&self, name: &str) -> bool {
        let removed = self.0.catalog().remove_tool(name);
        if removed {
            self.changed(Kind::Tools).await;
        }
        removed
    }

    /// Adds or replaces a resource with fixed contents, and tells the clients that the list changed.
    ///
    /// # Cancel safety
    /// As [`add_tool`](Self::add_tool).
    pub async fn add_resource(&self, resource: Resource, contents: ResourceContents) {
        self.0.catalog().put_resource(resource, catalog::fixed(contents));
        self.changed(Kind::Resources).await;
    }

    /// Takes a resource away, and tells the clients that the list changed. `false` if there was none.
    ///
    /// # Cancel safety
    /// As [`add_tool`](Self::add_tool).
    pub async fn remove_resource(&self, uri: &str) -> bool {
        let removed = self.0.catalog().remove_resource(uri);
        if removed {
            self.changed(Kind::Resources).await;
        }
        removed
    }

    /// Adds or replaces a prompt, and tells the clients that the list changed.
    ///
    /// # Cancel safety
    /// As [`add_tool`](Self::add_tool).
    pub async fn add_prompt<F, R>(&self, prompt: Prompt, handler: F)
    where
        F: Fn(PromptCall) -> R + Send + Sync + 'static,
        R: HandlerResult<GetPromptResult>,
    {
        self.0.catalog().put_prompt(prompt, catalog::handler(handler));
        self.changed(Kind::Prompts).await;
    }

    /// Takes a prompt away, and tells the clients that the list changed. `false` if there was none.
    ///
    /// # Cancel safety
    /// As [`add_tool`](Self::add_tool).
    pub async fn remove_prompt(&self, name: &str) -> bool {
        let removed = self.0.catalog().remove_prompt(name);
        if removed {
            self.changed(Kind::Prompts).await;
        }
        removed
    }

    /// Tells those clients that subscribed to the resource that it changed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some clients untold.
    pub async fn resource_updated(&self, uri: &str) {
        let params = RawJson::from(serde_json::json!({ "uri": uri }));
        for session in self.0.sessions() {
            if session.is_subscribed(uri) {
                session.notify("notifications/resources/updated", Some(&params)).await;
            }
            session.publish_update(uri, &params).await;
        }
    }

    /// Ends all subscriptions of 2026-07-28 in order: with their results.
    pub fn end_subscriptions(&self) {
        for session in self.0.sessions() {
            session.end_listening(End::Done);
        }
    }

    /// Ends all subscriptions of 2026-07-28 with `notifications/cancelled`, and no result.
    pub fn cancel_subscriptions(&self) {
        for session in self.0.sessions() {
            session.end_listening(End::Cancelled);
        }
    }

    /// Ends and forgets all tasks, as a server does that was started anew.
    pub fn forget_tasks(&self) {
        self.0.tasks.forget();
    }

    /// Sends a notification, as it is, to every client that has finished its handshake or has a subscription.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some clients untold.
    pub async fn notify(&self, method: &str, params: Option<RawJson>) {
        for session in self.0.sessions().into_iter().filter(|s| s.is_ready() || !s.listening().is_empty()) {
            session.notify(method, params.as_ref()).await;
        }
    }

    /// Sends a request to the client that connected last, whatever it declared, and waits for its answer.
    ///
    /// # Errors
    /// What the client answered; an internal error where no client is there.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn request(&self, method: &str, params: Option<RawJson>) -> Result<RawJson, ErrorObject> {
        match self.0.sessions().pop() {
            Some(session) => session.request(method, params.as_ref()).await,
            None => Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "no client is connected")),
        }
    }

    /// Writes a line as it is, which need not be a message, to every client.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some clients without it.
    pub async fn send_line(&self, line: impl Into<bytes::Bytes>) {
        let line = line.into();
        for session in self.0.sessions() {
            session.write(Out::Line(line.clone())).await;
        }
    }

    /// Closes every connection at once, without a word.
    pub fn disconnect(&self) {
        self.0.disconnects.send_modify(|count| *count += 1);
    }

    async fn changed(&self, kind: Kind) {
        for session in self.0.sessions() {
            if session.is_ready() && session.declared(kind.capability()) {
                session.notify(kind.changed(), None).await;
            }
            session.publish_change(kind).await;
        }
    }
}

impl Shared {
    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sessions that are up, oldest first.
    fn sessions(&self) -> Vec<Arc<Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.strong_count() > 0);
        sessions.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Serialises a result of this server.
pub(crate) fn to_raw<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, ErrorObject> {
    RawJson::from_serialize(value)
        .map_err(|error| ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("cannot write the result: {error}")))
}

impl fmt::Debug for MockServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockServer")
            .field("info", &self.0.config.info)
            .field("revisions", &self.0.config.revisions)
            .field("journal", &self.0.journal)
            .finish_non_exhaustive()
    }
}
