//! The client.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{
    CancelTaskRequestParams, CancelTaskResult, CompletionReference, DiscoverResult, EmptyResult,
    GetTaskPayloadRequestParams, GetTaskRequestParams, GetTaskResult, LoggingLevel, Payload, Prompt, RawJson, Resource,
    ResourceTemplate, ResultType, SetLevelRequestParams, SubscriptionFilter, Task, Tool, method,
};
use serde::Serialize;

use crate::builder::ClientBuilder;
use crate::call::Call;
use crate::error::{Error, ErrorKind};
use crate::events::Events;
use crate::pages::{Listed, Pages, page_call};
use crate::request::{CallTool, Complete, GetPrompt, Raw, ReadResource, Request, any_params};
use crate::server_info::ServerInfo;
use crate::subscription::Subscription;
use crate::supervisor::Supervisor;

/// A connection to one MCP server.
///
/// A clone is cheap and speaks over the same connection; use it from as many tasks as you like. When the last
/// clone is dropped the connection is closed in the background; [`close`](Self::close) does so in order and
/// says when it is done.
///
/// ```
/// use bowline_client::Client;
/// # use bowline_transport::MemoryConnect;
/// # use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let connector = MemoryConnect::new(|pipe| { tokio::spawn(async move {
/// #     let (read, mut write) = tokio::io::split(pipe);
/// #     let mut lines = BufReader::new(read).lines();
/// #     for answer in [r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#,
/// #         "", r#"{"content":[{"type":"text","text":"hi"}]}"#].iter() {
/// #         let line = lines.next_line().await.unwrap().unwrap();
/// #         if answer.is_empty() { continue; }
/// #         let id = if line.contains("\"id\":1,") { 1 } else { 2 };
/// #         write.write_all(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{answer}}}\n").as_bytes()).await.unwrap();
/// #     }
/// # }); });
/// let client = Client::builder().connect(connector).await?;
/// println!("{} speaks {}", client.server().info.name, client.server().revision);
///
/// let result = client.call("echo").arg("message", "hi").await?;
/// assert_eq!(result.joined_text(), "hi");
/// client.close().await
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Client {
    supervisor: Arc<Supervisor>,
}

impl Client {
    pub(crate) const fn new(supervisor: Arc<Supervisor>) -> Self {
        Self { supervisor }
    }

    /// Settings, to be ended with [`ClientBuilder::connect`].
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// What the server said of itself, and the negotiated revision: that of the newest connection.
    pub fn server(&self) -> Arc<ServerInfo> {
        Arc::clone(&self.supervisor.current().server)
    }

    /// A call of a tool (`tools/call`).
    ///
    /// A tool that ran and failed is a result with `is_error`, not an error.
    pub fn call(&self, tool: impl Into<String>) -> Request<CallTool> {
        Request::new(self.clone(), CallTool::new(tool.into()))
    }

    /// A reading of a resource (`resources/read`).
    pub fn read(&self, uri: impl Into<String>) -> Request<ReadResource> {
        Request::new(self.clone(), ReadResource::new(uri.into()))
    }

    /// A filling-in of a prompt (`prompts/get`).
    pub fn prompt(&self, name: impl Into<String>) -> Request<GetPrompt> {
        Request::new(self.clone(), GetPrompt::new(name.into()))
    }

    /// Suggestions for an argument of a prompt or resource template (`completion/complete`).
    pub fn complete(
        &self,
        reference: CompletionReference,
        argument: impl Into<String>,
        value: impl Into<String>,
    ) -> Request<Complete> {
        Request::new(self.clone(), Complete::new(reference, argument.into(), value.into()))
    }

    /// A request of any method, with an undecoded result.
    ///
    /// Methods of the specification are still checked against the revision and the server's capabilities.
    pub fn request(&self, method: impl Into<String>) -> Request<Raw> {
        Request::new(self.clone(), Raw::new(method.into()))
    }

    /// The tools, across all pages (`tools/list`).
    pub fn tools(&self) -> Pages<Tool> {
        Pages::new(self.clone())
    }

    /// The resources, across all pages (`resources/list`).
    pub fn resources(&self) -> Pages<Resource> {
        Pages::new(self.clone())
    }

    /// The resource templates, across all pages (`resources/templates/list`); none where the server has
    /// resources and does not know the method.
    pub fn resource_templates(&self) -> Pages<ResourceTemplate> {
        Pages::new(self.clone())
    }

    /// The prompts, across all pages (`prompts/list`).
    pub fn prompts(&self) -> Pages<Prompt> {
        Pages::new(self.clone())
    }

    /// The tasks, across all pages (`tasks/list`, 2025-11-25).
    pub fn tasks(&self) -> Pages<Task> {
        Pages::new(self.clone())
    }

    /// One page of a list as it came: `client.list_page::<Tool>(None)`. The cursor is the `next_cursor` of the
    /// page before.
    ///
    /// # Errors
    /// As for any request.
    pub async fn list_page<T: Listed>(&self, cursor: Option<&str>) -> Result<T::Page, Error> {
        self.run(page_call(T::METHOD, cursor)?).await
    }

    /// Asks the server once more which versions and capabilities it has (`server/discover`, 2026-07-28).
    ///
    /// What was agreed stays as it is; this is for showing, and for knowing whether the server lives.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in revisions with a handshake, else as for any request.
    pub async fn discover(&self) -> Result<DiscoverResult, Error> {
        self.simple(method::SERVER_DISCOVER, None::<&()>).await
    }

    /// Asks whether the server lives (`ping`).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in revisions without sessions, which have [`discover`](Self::discover) instead. A
    /// server that answers with an error lives as well; see [`ErrorKind::Server`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.simple::<EmptyResult>(method::PING, None::<&()>).await.map(drop)
    }

    /// Asks for log messages of this level and above: by `logging/setLevel`, and in revisions without sessions
    /// (2026-07-28) with every request from now on; see also [`Request::log_level`].
    ///
    /// # Errors
    /// As for any request.
    pub async fn set_level(&self, level: LoggingLevel) -> Result<(), Error> {
        let link = self.supervisor.link().await?;
        if link.owner.connection.log_from_now_on(&level) {
            self.supervisor.remember_level(level);
            return Ok(());
        }
        let params = SetLevelRequestParams::new(level.clone());
        self.simple::<EmptyResult>(method::LOGGING_SET_LEVEL, Some(&params)).await?;
        self.supervisor.remember_level(level);
        Ok(())
    }

    /// Asks to be told of changes, until the [`Subscription`] is dropped.
    ///
    /// In 2026-07-28 it is one `subscriptions/listen`, and this waits until the server has acknowledged it. In a session
    /// it is a `resources/subscribe` for each resource to which no other subscription of this client holds on, and
    /// nothing for the lists, of which servers tell by themselves. What was asked and not granted is
    /// [`Subscription::refused`].
    ///
    /// ```
    /// use bowline_client::{Change, Client, Error};
    /// use bowline_protocol::SubscriptionFilter;
    ///
    /// async fn watch(client: &Client) -> Result<(), Error> {
    ///     let filter = SubscriptionFilter::new()
    ///         .with_tools_list_changed(true)
    ///         .with_resource_subscriptions(["note://1".to_owned(), "note://2".to_owned()]);
    ///     let mut changes = client.listen(filter).await?;
    ///     if !changes.refused().is_empty() {
    ///         eprintln!("the server will not tell of {:?}", changes.refused());
    ///     }
    ///     while let Some(change) = changes.next().await {
    ///         match change {
    ///             Change::Tools => println!("list the tools again"),
    ///             Change::Resource { uri } => println!("read {uri} again"),
    ///             Change::Resumed | Change::Missed(_) => println!("read all again"),
    ///             _ => {}
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Unsupported`] where the server declares nothing of it, and then nothing is sent, or grants nothing.
    /// - [`ErrorKind::Timeout`] where it acknowledges nothing for [`Timeouts::idle`](crate::Timeouts::idle).
    /// - [`ErrorKind::Config`] where the filter names nothing or more than 1,024 resources and tasks, or 128
    ///   subscriptions of this client are open.
    /// - Else as for any request.
    ///
    /// # Cancel safety
    /// Dropping the future ends the subscription.
    pub async fn listen(&self, filter: SubscriptionFilter) -> Result<Subscription, Error> {
        Subscription::open(&self.supervisor, filter).await
    }

    /// Asks to be told when the lists of tools, prompts and resources change, as far as the server says that it tells;
    /// see [`listen`](Self::listen).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it declares no such list, else as for [`listen`](Self::listen).
    ///
    /// # Cancel safety
    /// Dropping the future ends the subscription.
    pub async fn changes(&self) -> Result<Subscription, Error> {
        let offered = self.supervisor.link().await?.server.list_changes();
        if offered.is_empty() {
            let why = "the server declared \"listChanged\" for no list";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.listen(offered).await
    }

    /// Asks to be told when a resource changes; see [`listen`](Self::listen). The server may tell of a part of it, by
    /// the part's own URI.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server does not declare `resources.subscribe`, else as for
    /// [`listen`](Self::listen).
    ///
    /// # Cancel safety
    /// Dropping the future ends the subscription.
    pub async fn subscribe(&self, uri: impl Into<String>) -> Result<Subscription, Error> {
        self.listen(SubscriptionFilter::new().with_resource_subscriptions(vec![uri.into()])).await
    }

    /// The state of a task (`tasks/get`, 2025-11-25).
    ///
    /// # Errors
    /// As for any request.
    pub async fn task(&self, task_id: impl Into<String>) -> Result<GetTaskResult, Error> {
        self.simple(method::TASKS_GET, Some(&GetTaskRequestParams::new(task_id))).await
    }

    /// The result of a task, undecoded; waits until there is one (`tasks/result`, 2025-11-25).
    ///
    /// # Errors
    /// As for any request.
    pub async fn task_result(&self, task_id: impl Into<String>) -> Result<RawJson, Error> {
        self.simple(method::TASKS_RESULT, Some(&GetTaskPayloadRequestParams::new(task_id))).await
    }

    /// Ends a task (`tasks/cancel`, 2025-11-25).
    ///
    /// # Errors
    /// As for any request.
    pub async fn cancel_task(&self, task_id: impl Into<String>) -> Result<CancelTaskResult, Error> {
        self.simple(method::TASKS_CANCEL, Some(&CancelTaskRequestParams::new(task_id))).await
    }

    /// Sends a notification of any method; one of the specification only where the negotiated revision has it. `params`
    /// is anything that serialises to a JSON object; `()` and `null`
    /// mean none.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], [`ErrorKind::Unsupported`], [`ErrorKind::Config`] where `params` is no object, or [`ErrorKind::Timeout`] where
    /// the server reads nothing for [`Timeouts::idle`](crate::Timeouts::idle).
    pub async fn notify(&self, method: &str, params: impl Serialize) -> Result<(), Error> {
        let params = any_params(&params)?;
        let link = self.supervisor.link().await?;
        link.server.check_revision(method)?;
        link.owner.connection.notify(method, params.as_ref(), None).await
    }

    /// Tells the server that the roots changed (`notifications/roots/list_changed`).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where no roots were declared, and in 2026-07-28, where servers ask each time; else as
    /// for [`notify`](Self::notify).
    pub async fn roots_changed(&self) -> Result<(), Error> {
        if !self.supervisor.declares_roots() {
            return Err(Error::new(ErrorKind::Unsupported, "no roots were declared; set them on the builder"));
        }
        self.notify(method::NOTIFICATIONS_ROOTS_LIST_CHANGED, ()).await
    }

    /// What the server tells without being asked, from now on.
    pub fn events(&self) -> Events {
        self.supervisor.events()
    }

    /// Whether the connection has ended for good, from either side.
    pub fn is_closed(&self) -> bool {
        self.supervisor.is_closed()
    }

    /// Ends the connection in order, for all clones.
    ///
    /// Open calls end with an error that says so, what was accepted is written, and the server's process is gone
    /// when it returns. A second call waits for the same end.
    ///
    /// # Errors
    /// Where the end was not orderly: the server had to be killed and would not go.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the end to the transport, which finishes it in the background.
    pub async fn close(&self) -> Result<(), Error> {
        self.supervisor.close().await
    }

    /// Runs one call and decodes its result.
    pub(crate) async fn run<R: ResultType>(&self, call: Call) -> Result<R, Error> {
        self.run_in(call, None).await.map(|(result, _)| result)
    }

    /// As [`run`](Self::run), in one session if one is named; tells which it was.
    pub(crate) async fn run_in<R: ResultType>(&self, mut call: Call, epoch: Option<u64>) -> Result<(R, u64), Error> {
        let (result, epoch) = call.run(&self.supervisor, epoch).await?;
        let result = result.decode().map_err(|error| Error::shape(&error).with_method(&call.method))?;
        Ok((result, epoch))
    }

    /// Runs one round of a call.
    pub(crate) async fn run_raw(&self, call: &mut Call) -> Result<Payload, Error> {
        call.run(&self.supervisor, None).await.map(|(result, _)| result)
    }

    async fn simple<R: ResultType>(
        &self,
        method: &'static str,
        params: Option<&(impl Serialize + Sync)>,
    ) -> Result<R, Error> {
        self.run(Call { method: method.into(), params: encode(params)?, ..Call::default() }).await
    }
}

fn encode(params: Option<&impl Serialize>) -> Result<Option<RawJson>, Error> {
    let encoded = params.map(RawJson::from_serialize).transpose();
    encoded.map_err(|e| Error::new(ErrorKind::Config, format!("the parameters cannot be json: {e}")))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server().info.name)
            .field("revision", &self.server().revision)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
