//! A client for programs without an async runtime.
//!
//! It brings a runtime of its own with one worker thread, so that the server is served while the program does
//! something else.
//!
//! ```no_run
//! let client = bowline::blocking::Client::connect("npx -y @modelcontextprotocol/server-everything")?;
//! let result = client.call("echo", serde_json::json!({"message": "hi"}))?;
//! println!("{}", result.joined_text());
//! client.close()?;
//! # Ok::<(), bowline::Error>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::{Change, ClientBuilder, Error, ServerInfo, SubscriptionEnd};
use bowline_protocol::{
    CallToolResult, GetPromptResult, Prompt, ReadResourceResult, Resource, ResourceTemplate, SubscriptionFilter, Tool,
};
use bowline_transport::{Connect, TransportError, TransportErrorKind};
use tokio::runtime::{Builder, Handle, Runtime};

/// How long a drop waits for the worker, which may be in the middle of a callback.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// A connection to one MCP server, with methods that block.
///
/// [`close`](Self::close) ends the server in order. Dropping the client ends it at once, with SIGKILL, and waits up to
/// 1 s for that, so that the end of `main` leaves no process behind. A drop within an async runtime must not wait:
/// there the server ends a moment later, unless this process ends first.
///
/// ```
/// use bowline::blocking::Client;
///
/// let server = bowline_testkit::demo::server();
/// let client = Client::connect_with(bowline::Client::builder(), server.connector())?;
/// println!("{} tools", client.tools()?.len());
///
/// // Whatever the async client can do, in one line:
/// let sum = client.run(|c| c.call("add").arg("a", 2).arg("b", 40).max_time(std::time::Duration::from_secs(5)))?;
/// assert!(!sum.is_error());
/// client.close()?;
/// # Ok::<(), bowline::Error>(())
/// ```
pub struct Client {
    client: bowline_client::Client,
    handle: Handle,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

impl Client {
    /// Connects to a server by its name; see [`bowline::connect`](crate::connect()).
    ///
    /// # Errors
    /// As the async function, and when called within an async runtime.
    pub fn connect(target: &str) -> Result<Self, Error> {
        Self::connect_with(bowline_client::Client::builder(), crate::Target::parse(target)?)
    }

    /// Connects with the settings of a builder.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`], and when called within an async runtime.
    pub fn connect_with(builder: ClientBuilder, connector: impl Connect) -> Result<Self, Error> {
        if Handle::try_current().is_ok() {
            return Err(config("a blocking client cannot run within an async runtime; use bowline::Client there"));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bowline")
            .enable_all()
            .build()
            .map_err(|e| config(&format!("could not start a runtime: {e}")))?;
        let client = runtime.block_on(builder.connect(connector))?;
        Ok(Self { client, handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// The async client, for what has no method here; run it with [`run`](Self::run).
    pub const fn inner(&self) -> &bowline_client::Client {
        &self.client
    }

    /// Runs a request of the async client to its end.
    ///
    /// # Panics
    /// When called within an async runtime.
    pub fn run<'c, R: IntoFuture>(&'c self, request: impl FnOnce(&'c bowline_client::Client) -> R) -> R::Output {
        self.handle.block_on(request(&self.client).into_future())
    }

    /// What the server said of itself, and the negotiated revision.
    pub fn server(&self) -> Arc<ServerInfo> {
        self.client.server()
    }

    /// Calls a tool. `arguments` is anything that serialises to a JSON object; `()` and `null` mean none.
    ///
    /// # Errors
    /// As for any request. A tool that ran and failed is a result with `is_error`.
    pub fn call(&self, tool: &str, arguments: impl serde::Serialize) -> Result<CallToolResult, Error> {
        self.run(|c| c.call(tool).args(arguments))
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As for any request.
    pub fn read(&self, uri: &str) -> Result<ReadResourceResult, Error> {
        self.run(|c| c.read(uri))
    }

    /// Fills a prompt in.
    ///
    /// # Errors
    /// As for any request.
    pub fn prompt(&self, name: &str, arguments: &BTreeMap<String, String>) -> Result<GetPromptResult, Error> {
        self.run(|c| arguments.iter().fold(c.prompt(name), |request, (k, v)| request.arg(k, v)))
    }

    /// All tools.
    ///
    /// # Errors
    /// As for any request.
    pub fn tools(&self) -> Result<Vec<Tool>, Error> {
        self.run(|c| c.tools().all())
    }

    /// All resources.
    ///
    /// # Errors
    /// As for any request.
    pub fn resources(&self) -> Result<Vec<Resource>, Error> {
        self.run(|c| c.resources().all())
    }

    /// All resource templates.
    ///
    /// # Errors
    /// As for any request.
    pub fn resource_templates(&self) -> Result<Vec<ResourceTemplate>, Error> {
        self.run(|c| c.resource_templates().all())
    }

    /// All prompts.
    ///
    /// # Errors
    /// As for any request.
    pub fn prompts(&self) -> Result<Vec<Prompt>, Error> {
        self.run(|c| c.prompts().all())
    }

    /// Asks whether the server lives.
    ///
    /// # Errors
    /// As for any request.
    pub fn ping(&self) -> Result<(), Error> {
        self.run(bowline_client::Client::ping)
    }

    /// Asks to be told of changes, until what is returned is dropped; see
    /// [`bowline::Client::listen`](bowline_client::Client::listen).
    ///
    /// # Errors
    /// As the async function.
    pub fn listen(&self, filter: SubscriptionFilter) -> Result<Subscription<'_>, Error> {
        self.run(|c| c.listen(filter)).map(|inner| Subscription { client: self, inner })
    }

    /// Asks to be told when the lists change, as far as the server says that it tells.
    ///
    /// # Errors
    /// As for any request.
    pub fn changes(&self) -> Result<Subscription<'_>, Error> {
        self.run(bowline_client::Client::changes).map(|inner| Subscription { client: self, inner })
    }

    /// Asks to be told when a resource changes.
    ///
    /// # Errors
    /// As for any request.
    pub fn subscribe(&self, uri: &str) -> Result<Subscription<'_>, Error> {
        self.run(|c| c.subscribe(uri)).map(|inner| Subscription { client: self, inner })
    }

    /// Ends the connection in order; the server's process is gone when it returns.
    ///
    /// # Errors
    /// Where the end was not orderly.
    pub fn close(self) -> Result<(), Error> {
        self.run(bowline_client::Client::close)
    }
}

/// Changes at a server, as an iterator that waits for the next one, until this is dropped; see
/// [`bowline::Subscription`](bowline_client::Subscription).
///
/// ```
/// use bowline::Change;
/// use bowline::blocking::Client;
/// use std::time::Duration;
///
/// let server = bowline_testkit::demo::server();
/// let client = Client::connect_with(bowline::Client::builder(), server.connector())?;
/// let mut changes = client.subscribe("demo://log-book")?;
/// assert!(changes.refused().is_empty());
/// assert_eq!(changes.next_within(Duration::from_millis(1)), None);
///
/// client.run(|_| server.resource_updated("demo://log-book"));
/// assert_eq!(changes.next(), Some(Change::Resource { uri: "demo://log-book".into() }));
/// # drop(changes);
/// client.close()?;
/// # Ok::<(), bowline::Error>(())
/// ```
#[must_use = "dropping it ends the subscription"]
pub struct Subscription<'c> {
    client: &'c Client,
    inner: bowline_client::Subscription,
}

impl Subscription<'_> {
    /// The next change, if there is one within this time; `None` also after the end, which [`ended`](Self::ended)
    /// tells.
    ///
    /// # Panics
    /// When called within an async runtime.
    pub fn next_within(&mut self, limit: Duration) -> Option<Change> {
        let next = self.inner.next();
        self.client.handle.block_on(async { tokio::time::timeout(limit, next).await.ok().flatten() })
    }

    /// What the server grants of what was asked for.
    pub fn granted(&self) -> SubscriptionFilter {
        self.inner.granted()
    }

    /// What was asked for and not granted: nothing will be told of it.
    pub fn refused(&self) -> SubscriptionFilter {
        self.inner.refused()
    }

    /// How it ended, once there is no next change.
    pub const fn ended(&self) -> Option<&SubscriptionEnd> {
        self.inner.ended()
    }
}

impl Iterator for Subscription<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.client.handle.block_on(self.inner.next())
    }
}

impl fmt::Debug for Subscription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

fn config(message: &str) -> Error {
    TransportError::new(TransportErrorKind::Config, message).into()
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // What the runtime still ran is dropped by its worker, and ends its processes.
        if Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(DROP_WAIT);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Client").field(&self.client).finish()
    }
}
