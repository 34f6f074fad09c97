//! The client.

use std::fmt;
use std::sync::{Arc, Weak};

use bowline_protocol::{
    CancelTaskRequestParams, CancelTaskResult, CompletionReference, DiscoverResult, EmptyResult,
    GetTaskPayloadRequestParams, GetTaskRequestParams, GetTaskResult, LoggingLevel, Payload, Prompt, RawJson, Resource,
    ResourceTemplate, ResultType, SetLevelRequestParams, SubscriptionFilter, Task, TaskSupport, Tool, excerpt, method,
};
use bowline_transport::Sent;
use serde::Serialize;
use tokio::time::Instant;

use crate::arguments::any_params;
use crate::builder::ClientBuilder;
use crate::cache::{self, CacheStats, Fetched, Store};
use crate::call::Call;
use crate::dial::Link;
use crate::error::{Error, ErrorKind};
use crate::events::{Event, Events};
use crate::kept::Kept;
use crate::pages::{Listed, Pages, page_call};
use crate::plane::{self, CallService};
use crate::request::{CallTool, Complete, GetPrompt, Raw, ReadResource, Request};
use crate::server_info::ServerInfo;
use crate::subscription::Subscription;
use crate::supervisor::{ConnectionEvents, Supervisor};
use crate::tasks::{self, Asked, TaskHandle, TaskTicket};
use crate::timeouts::{NEVER, Timeouts};

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
/// #     for (id, answer) in [r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#,
/// #         r#"{"resultType":"complete","content":[{"type":"text","text":"hi"}]}"#].iter().enumerate() {
/// #         lines.next_line().await.unwrap().unwrap();
/// #         let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{answer}}}\n");
/// #         write.write_all(line.as_bytes()).await.unwrap();
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

/// A [`Client`] that is not kept open by this; made by [`Client::downgrade`].
#[derive(Clone)]
pub struct WeakClient(Weak<Supervisor>);

impl WeakClient {
    /// The client, unless its last handle was dropped.
    pub fn upgrade(&self) -> Option<Client> {
        self.0.upgrade().map(Client::new)
    }
}

impl fmt::Debug for WeakClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakClient").field(&self.upgrade()).finish()
    }
}

impl Client {
    /// A handle that does not keep the client open, for what looks after one and must not be why it lives.
    pub fn downgrade(&self) -> WeakClient {
        WeakClient(Arc::downgrade(&self.supervisor))
    }

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
    pub fn call(&self, tool: impl AsRef<str>) -> Request<CallTool> {
        Request::new(self.clone(), CallTool::new(tool.as_ref().into()))
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
    /// It is always asked for, also where pages are kept ([`ClientBuilder::cache`]). Tools that must not be used are
    /// left out, as in [`Pages`].
    ///
    /// # Errors
    /// As for any request.
    pub async fn list_page<T: Listed>(&self, cursor: Option<&str>) -> Result<T::Page, Error> {
        let mut call = page_call(T::METHOD, cursor)?;
        call.options.fresh = true;
        self.page::<T>(call, None).await.map(|fetched| fetched.result)
    }

    /// Asks the server once more which versions and capabilities it has (`server/discover`, 2026-07-28).
    ///
    /// What was agreed stays as it is; this is for showing, and for knowing whether the server lives. So it is always
    /// sent, whatever the answer before said of its life.
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

    /// The state of a task (`tasks/get`). [`resume_task`](Self::resume_task) follows one to its end.
    ///
    /// # Errors
    /// As for any request.
    pub async fn task(&self, task_id: impl Into<String>) -> Result<GetTaskResult, Error> {
        let params = GetTaskRequestParams::new(task_id);
        self.about_task(method::TASKS_GET, &params.task_id, &params).await
    }

    /// The result of a task, undecoded; waits until there is one (`tasks/result`, 2025-11-25).
    ///
    /// # Errors
    /// As for any request.
    pub async fn task_result(&self, task_id: impl Into<String>) -> Result<RawJson, Error> {
        let params = GetTaskPayloadRequestParams::new(task_id);
        self.about_task(method::TASKS_RESULT, &params.task_id, &params).await
    }

    /// Ends a task (`tasks/cancel`).
    ///
    /// # Errors
    /// As for any request.
    pub async fn cancel_task(&self, task_id: impl Into<String>) -> Result<CancelTaskResult, Error> {
        let params = CancelTaskRequestParams::new(task_id);
        self.about_task(method::TASKS_CANCEL, &params.task_id, &params).await
    }

    /// Takes up a task that was made before, perhaps by another process. Nothing is sent yet.
    ///
    /// ```
    /// use bowline_client::{Client, TaskTicket};
    /// use bowline_protocol::CallToolResult;
    ///
    /// async fn go_on(client: &Client, written: &str) -> Result<CallToolResult, Box<dyn std::error::Error>> {
    ///     let ticket: TaskTicket = serde_json::from_str(written)?;
    ///     Ok(client.resume_task(ticket)?.result().await?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the task is of another revision than the connection, or the server has no
    /// tasks; [`ErrorKind::Config`] where it is not of a tool's call.
    pub fn resume_task(&self, ticket: TaskTicket) -> Result<TaskHandle, Error> {
        let server = self.server();
        if ticket.method != method::TOOLS_CALL || ticket.task_id.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "the ticket is for no task of a tool; keep tickets as they come",
            ));
        }
        if ticket.revision != server.revision {
            let (theirs, ours) = (ticket.revision, server.revision);
            let what =
                format!("the task was made in revision {theirs}, and the server speaks {ours}; set revision({theirs})");
            return Err(Error::new(ErrorKind::Unsupported, what).with_method(method::TASKS_GET));
        }
        if !self.link_now().owner.connection.settings.allow_undeclared {
            server.check(method::TASKS_GET)?;
        }
        Ok(TaskHandle::taken_up(self.clone(), ticket))
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

    /// The `outputSchema` of a tool, to check a structured result by hand.
    ///
    /// It is known once the tools were listed, until the server says that they changed.
    ///
    /// ```
    /// # async fn check(client: bowline_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.tools().all().await?;
    /// let result = client.call("add").arg("a", 2).arg("b", 3).await?;
    /// if let Some(schema) = client.output_schema("add") {
    ///     schema.check(&result).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "schema")]
    pub fn output_schema(&self, tool: &str) -> Option<crate::OutputSchema> {
        self.kept().outputs.find(tool)
    }

    pub(crate) const fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// Waits until the server tells that a visit to a URL is over (`notifications/elicitation/complete`, 2025-11-25),
    /// or [`finish_elicitation`](Self::finish_elicitation) says so. At once where that was told before.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where no visit of that id is known, [`ErrorKind::Closed`] where the connection ends for
    /// good, [`ErrorKind::Timeout`] after [`Timeouts::total`](crate::Timeouts::total): servers need not tell.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn elicitation_completed(&self, elicitation_id: &str) -> Result<(), Error> {
        let Some(visit) = self.supervisor.handlers().asks.visits.get(elicitation_id) else {
            let id = excerpt(elicitation_id, 80);
            return Err(Error::new(ErrorKind::Config, format!("no visit with the id \"{id}\" was asked for")));
        };
        let mut events = self.events();
        let ended = async { while !matches!(events.next().await, Some(Event::Closed(_)) | None) {} };
        let limit = self.supervisor.timeouts().total.min(NEVER);
        tokio::select! {
            biased;
            () = visit.over() => Ok(()),
            () = ended => Err(Error::closed()),
            () = tokio::time::sleep(limit) => {
                Err(Error::timeout("the server did not tell that the visit is over", limit, Sent::No))
            }
        }
    }

    /// Says, in the server's place, that a visit to a URL is over: servers need not tell. Whoever waits for it goes on.
    /// `false` where no visit of that id is open.
    pub fn finish_elicitation(&self, elicitation_id: &str) -> bool {
        self.supervisor.handlers().asks.visits.finish(elicitation_id)
    }

    /// The calls of this client as a service, its layers included: for calls made by hand, for layers around a single
    /// call, and as a place to fall back on for another client.
    ///
    /// ```
    /// use bowline_client::{Call, Client, Error};
    /// use bowline_protocol::ListToolsResult;
    /// use tower_service::Service;
    ///
    /// async fn first_page(client: &Client) -> Result<ListToolsResult, Error> {
    ///     let reply = client.service().call(Call::new("tools/list")).await?;
    ///     println!("after {} attempts and {:?}", reply.attempts(), reply.elapsed());
    ///     reply.decode()
    /// }
    /// ```
    ///
    /// Results are what the server sent: none is checked against a schema or kept, and one that is a task is not followed.
    pub fn service(&self) -> CallService {
        self.supervisor.service().keeping(Arc::clone(&self.supervisor))
    }

    /// What the cache did so far; none without one ([`ClientBuilder::cache`]).
    pub fn cache_stats(&self) -> Option<CacheStats> {
        self.supervisor.kept().cache.as_ref().map(Store::stats)
    }

    /// Drops all kept results, and with them those of requests that are under way. For whoever changes the credentials
    /// to those of another user, or knows of a change that the server does not tell.
    pub fn clear_cache(&self) {
        if let Some(cache) = &self.supervisor.kept().cache {
            cache.clear();
        }
    }

    /// What the server tells without being asked, from now on.
    pub fn events(&self) -> Events {
        self.supervisor.events()
    }

    /// What becomes of the connection, from now on.
    pub fn connection_events(&self) -> ConnectionEvents {
        self.supervisor.connection_events()
    }

    /// Forgets how often connecting failed and how often a child was started: where the client has given up for a while,
    /// the next call tries again at once. For whoever has mended what was wrong.
    pub fn retry_now(&self) {
        self.supervisor.retry_now();
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
    pub(crate) async fn run<R: ResultType>(&self, call: &mut Call) -> Result<R, Error> {
        if call.method == method::TOOLS_CALL {
            // Never kept, and perhaps a task.
            return self.run_tool(call).await;
        }
        // On the heap: the futures of calls of tools would have room for it.
        Box::pin(cache::run(&self.supervisor, call, None)).await.map(|fetched| fetched.result)
    }

    async fn run_tool<R: ResultType>(&self, call: &mut Call) -> Result<R, Error> {
        let result = {
            let outcome = plane::run(&self.supervisor, call, None, true).await;
            if let (Err(error), Some(cache)) = (&outcome, &self.supervisor.kept().cache) {
                cache.doubt(&call.method, error);
            }
            outcome?.0
        };
        let result = if call.asked == Asked::Plain { result } else { Box::pin(self.finished(call, result)).await? };
        self.supervisor.decode(&call.method, || result.into_decoded())
    }

    /// The result of a call that may have become a task, once there is one.
    async fn finished(&self, call: &mut Call, result: Payload) -> Result<Payload, Error> {
        let started = call.began.unwrap_or_else(Instant::now);
        match tasks::created(&self.supervisor, call, &result)? {
            // Whatever keeps a later look from being sent, the call itself was: nobody may send it once more.
            Some(created) => {
                tasks::finish(self, call, &created, started).await.map_err(|error| error.with_sent(Sent::Yes))
            }
            None => Ok(result),
        }
    }

    /// One page of a list, in one session if one is named, without what must not be used.
    pub(crate) async fn page<T: Listed>(
        &self,
        mut call: Call,
        session: Option<u64>,
    ) -> Result<Fetched<T::Page>, Error> {
        let is_first = call.params.is_none();
        let mut fetched = cache::run(&self.supervisor, &mut call, session).await?;
        if let Some(tools) = T::as_tools(&mut fetched.result) {
            self.kept().listed(tools, is_first, &self.supervisor.current().owner.connection);
        }
        Ok(fetched)
    }

    /// What is kept of what the server told.
    pub(crate) fn kept(&self) -> &Kept {
        self.supervisor.kept()
    }

    /// Runs one round of a call, through the layers.
    pub(crate) async fn run_round(&self, call: &mut Call) -> Result<Payload, Error> {
        plane::run(&self.supervisor, call, None, false).await.map(|(result, _)| result)
    }

    /// Runs one round of a call that belongs to a larger one, past the layers.
    pub(crate) async fn run_raw(&self, call: &mut Call) -> Result<Payload, Error> {
        call.run(&self.supervisor, None).await.map(|(result, _)| result)
    }

    /// The limits of calls that set none.
    pub(crate) fn timeouts(&self) -> &Timeouts {
        self.supervisor.timeouts()
    }

    /// The connection of this moment, which may be lost.
    pub(crate) fn link_now(&self) -> Arc<Link> {
        self.supervisor.current()
    }

    /// A connection that is not known to be lost.
    pub(crate) async fn link(&self) -> Result<Arc<Link>, Error> {
        self.supervisor.link().await
    }

    /// Whether a tool may be called as a task, as far as it was listed.
    pub(crate) fn known_task_support(&self, tool: &str) -> Option<TaskSupport> {
        self.kept().tools().supports.of(tool)
    }

    /// Whether a tool may be called as a task; lists the tools until it is found.
    pub(crate) async fn task_support(&self, tool: &str) -> Result<Option<TaskSupport>, Error> {
        let mut tools = self.tools();
        while let Some(listed) = tools.next().await {
            if listed?.name == tool {
                break;
            }
        }
        Ok(self.known_task_support(tool))
    }

    async fn about_task<R: ResultType>(
        &self,
        method: &'static str,
        task_id: &str,
        params: &(impl Serialize + Sync),
    ) -> Result<R, Error> {
        // Specification: SEP-2663, routing headers: the id is what the request is applied to.
        let name = Some(task_id.into());
        self.run(&mut Call { method: method.into(), name, params: encode(Some(params))?, ..Call::default() }).await
    }

    async fn simple<R: ResultType>(
        &self,
        method: &'static str,
        params: Option<&(impl Serialize + Sync)>,
    ) -> Result<R, Error> {
        self.run(&mut Call { method: method.into(), params: encode(params)?, ..Call::default() }).await
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
