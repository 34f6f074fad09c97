//! What a client is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Era, ErrorObject, Extra, Implementation, Revision, TASKS_EXTENSION, excerpt};
use bowline_transport::{BoxFuture, Connect};
use serde::Serialize;
use tower_layer::Layer;
use tower_service::Service;

use crate::asks::{AskLimits, AskScreens, Asks};
use crate::cache::Cache;
use crate::client::Client;
use crate::connection::CallSettings;
use crate::dial::Dialer;
use crate::eras::Eras;
use crate::error::{BoxError, Error, ErrorKind};
use crate::events::{Event, On};
use crate::handlers::{ElicitationHandler, RootsProvider, SamplingHandler};
use crate::introduction::Introduction;
use crate::keep_alive::KeepAlive;
use crate::kept::Kept;
use crate::known::KnownTools;
use crate::output::OutputSchemas;
use crate::plane::{Call, CallService, Layers, Reply};
use crate::reconnect::Reconnect;
use crate::serve::Handlers;
use crate::server_info::{Screens, ServerInfo};
use crate::session::Wanted;
use crate::subscription::SubscriptionScreens;
use crate::supervisor::{ConnectionEvent, Supervisor};
use crate::tasks::ReceivedTasks;
use crate::timeouts::Timeouts;
use crate::trace::Trace;

/// Settings of a [`Client`]; made by [`Client::builder`].
///
/// A capability is declared to the server exactly when its handler is installed here.
#[must_use = "a builder does nothing until it connects"]
#[derive(Clone)]
pub struct ClientBuilder {
    info: Implementation,
    names_itself: bool,
    wanted: Wanted,
    eras: Option<Eras>,
    extensions: Extra,
    max_rounds: u32,
    tasks: bool,
    timeouts: Timeouts,
    keep_alive: Option<KeepAlive>,
    reconnect: Option<Reconnect>,
    allow_undeclared: bool,
    cache: Option<Cache>,
    pub(crate) trace: Trace,
    handlers: Handlers,
    on_event: Option<On<Event>>,
    on_connection: Option<On<ConnectionEvent>>,
    output: OutputSchemas,
    ask_limits: AskLimits,
    layers: Layers,
    trusts_annotations: bool,
    known_tools: Option<KnownTools>,
    screens: Screens,
    subscription_screens: SubscriptionScreens,
    ask_screens: AskScreens,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            info: Implementation::new("bowline", env!("CARGO_PKG_VERSION")),
            names_itself: true,
            wanted: Wanted::Newest { known: None },
            eras: None,
            extensions: Extra::new(),
            max_rounds: crate::rounds::MAX_ROUNDS,
            tasks: false,
            timeouts: Timeouts::default(),
            keep_alive: None,
            reconnect: None,
            allow_undeclared: false,
            cache: None,
            trace: Trace::default(),
            handlers: Handlers::default(),
            on_event: None,
            on_connection: None,
            output: OutputSchemas::default(),
            ask_limits: AskLimits::default(),
            layers: Layers::default(),
            trusts_annotations: false,
            known_tools: None,
            screens: Screens::default(),
            subscription_screens: SubscriptionScreens::default(),
            ask_screens: AskScreens::default(),
        }
    }
}

impl ClientBuilder {
    /// Sets what the client calls itself. Default: `bowline` and its version.
    pub fn info(mut self, info: Implementation) -> Self {
        self.info = info;
        self
    }

    /// Sets the one revision to speak. Default: the newest that the server speaks.
    ///
    /// A revision with a handshake is asked for by `initialize`, and the server may answer with another of that era.
    /// One without (2026-07-28) is spoken or none is.
    pub const fn revision(mut self, revision: Revision) -> Self {
        self.wanted = Wanted::This(revision);
        self
    }

    /// Tells what was found out about the server's era before, perhaps by another process. It saves one question,
    /// and is put right where it is no longer so. Has no effect beside [`revision`](Self::revision).
    pub const fn known_era(mut self, era: Era) -> Self {
        if let Wanted::Newest { .. } = self.wanted {
            self.wanted = Wanted::Newest { known: Some(era) };
        }
        self
    }

    /// Sets the memory of eras. Default: that of the process ([`Eras::of_the_process`]).
    pub fn eras(mut self, eras: Eras) -> Self {
        self.eras = Some(eras);
        self
    }

    /// Shares what the server says of its tools with the other clients of it that are given the same. Default: the client
    /// knows what it has listed itself.
    pub fn known_tools(mut self, known: KnownTools) -> Self {
        self.known_tools = Some(known);
        self
    }

    /// Sets whether requests of 2026-07-28 name the client (`clientInfo`). Default: yes, as servers should be told.
    /// The handshake of older revisions always does.
    pub const fn name_in_requests(mut self, names_itself: bool) -> Self {
        self.names_itself = names_itself;
        self
    }

    /// Declares an extension of the protocol with its settings (2026-07-28, basic/versioning): `{}` for none.
    /// Default: none is declared.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where `id` is not a prefix, a slash and a name by the rules for
    /// `_meta` keys, such as `com.example/charts`, or where the settings are no JSON object.
    pub fn extension(mut self, id: impl Into<String>, settings: impl Serialize) -> Result<Self, Error> {
        let id = id.into();
        if !bowline_protocol::is_prefixed_key(&id) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("\"{}\" is no extension id; one looks like com.example/name", excerpt(&id, 80)),
            ));
        }
        match serde_json::to_value(settings) {
            Ok(settings) if settings.is_object() => {
                self.tasks |= id == TASKS_EXTENSION;
                self.extensions.insert(id, settings);
                Ok(self)
            }
            Ok(_) => {
                Err(Error::new(ErrorKind::Config, format!("the settings of extension {id} must be a json object")))
            }
            Err(error) => {
                Err(Error::new(ErrorKind::Config, format!("the settings of extension {id} cannot be json: {error}")))
            }
        }
    }

    /// Sets how often one call may be sent again because the server needs more input (2026-07-28,
    /// basic/patterns/mrtr). Default: 16. Zero hands the first such result on as an error.
    pub const fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Sets whether any call of a tool may go on as a task (extension `io.modelcontextprotocol/tasks` of 2026-07-28).
    /// Default: no, and the extension is declared only where a call asks for it by
    /// [`Request::as_task`](crate::Request::as_task).
    ///
    /// Calls read the same either way: they end with the tool's result. A server without the extension is called as
    /// ever. In 2025-11-25 this changes nothing: there the client asks for a task where a call wants one, or where the
    /// tool was listed as one that must be called so.
    pub const fn tasks(mut self, tasks: bool) -> Self {
        self.tasks = tasks;
        self
    }

    /// Sets the deadlines.
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how long connecting and the handshake may take, and leaves the other deadlines as they are.
    pub const fn connect_deadline(mut self, limit: Duration) -> Self {
        self.timeouts.connect = limit;
        self
    }

    /// Asks a silent server whether it still lives, and takes the connection as lost when it then stays silent: see
    /// [`KeepAlive`]. A duration alone is the silence, and the patience as well. Default: it is not asked, since most
    /// transports tell the end of a connection, and questions cost a server that is billed by the request.
    ///
    /// Less than 1 s of silence is refused by [`connect`](Self::connect).
    pub fn keep_alive(mut self, keep_alive: impl Into<KeepAlive>) -> Self {
        self.keep_alive = Some(keep_alive.into());
        self
    }

    /// Sets whether and how a lost connection is replaced.
    ///
    /// Default: [`Reconnect::default`] where the server lives on without the connection
    /// ([`Connect::server_lives_on`]) or has no state to lose (2026-07-28), [`Reconnect::NEVER`] where it has and does
    /// not, such as a child process of an older revision.
    pub const fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = Some(policy);
        self
    }

    /// Sends requests even if the server declared no capability for them. Default: they fail and are not sent.
    pub const fn allow_undeclared(mut self, allow: bool) -> Self {
        self.allow_undeclared = allow;
        self
    }

    /// Sets what becomes of structured results that do not fit the tool's `outputSchema`. Default:
    /// [`OutputSchemas::Warn`](crate::OutputSchemas::Warn).
    #[cfg(feature = "schema")]
    pub fn output_schemas(mut self, policy: OutputSchemas) -> Self {
        self.output = policy;
        self
    }

    /// Keeps lists and contents of resources for as long as the server says. Default: every request goes out.
    pub const fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Lets the server ask a model, and declares `sampling`.
    pub fn on_sampling(mut self, handler: impl SamplingHandler) -> Self {
        self.handlers.sampling = Some(Arc::new(handler));
        self
    }

    /// Lets the server ask the user, and declares `elicitation`.
    pub fn on_elicitation(mut self, handler: impl ElicitationHandler) -> Self {
        self.handlers.elicitation = Some(Arc::new(handler));
        self
    }

    /// Sets how often the server may ask the user or the model: so many times at once, and as many in each minute.
    /// Default: 60. 0 refuses all, `u32::MAX` sets no limit. What is beyond it is answered with an error that says so.
    ///
    /// It counts for all connections of the client together (client/elicitation, client/sampling: rate limits).
    pub const fn asks_per_minute(mut self, limit: u32) -> Self {
        self.ask_limits.per_minute = limit;
        self
    }

    /// Sets how many rounds of tools a conversation may have had when the server asks the model to go on with it
    /// (2025-11-25, client/sampling). Default: 50.
    ///
    /// The rounds are counted in what the server sends of the conversation; nothing of it is kept between requests.
    pub const fn max_tool_rounds(mut self, rounds: u32) -> Self {
        self.ask_limits.tool_rounds = rounds;
        self
    }

    /// Lets the server have what it asks of the model or the user run as tasks (2025-11-25, basic/utilities/tasks), and
    /// declares `tasks` for the handlers that are installed. Default: it may not, and is answered when the handler is
    /// done.
    pub const fn receive_tasks(mut self, settings: ReceivedTasks) -> Self {
        self.handlers.tasks = Some(settings);
        self
    }

    /// Tells the server where it may work, and declares `roots`.
    pub fn roots(mut self, provider: impl RootsProvider) -> Self {
        self.handlers.roots = Some(Arc::new(provider));
        self
    }

    /// Calls `f` with each event, in order, in a task of its own.
    ///
    /// A callback that is slow loses the oldest of more than 1,024 waiting events; one that panics is called
    /// again with the next. See also [`Client::events`].
    pub fn on_event(mut self, f: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(f));
        self
    }

    /// Calls `f` with each change of the connection, from the first attempt to connect on, in order, in a task of its own.
    ///
    /// A callback that is slow loses the oldest of more than 256 waiting changes; one that panics is called again with
    /// the next. See also [`Client::connection_events`].
    pub fn on_connection(mut self, f: impl Fn(ConnectionEvent) + Send + Sync + 'static) -> Self {
        self.on_connection = Some(Arc::new(f));
        self
    }

    /// Puts a layer around all calls, inside of the layers before: the first one is the outermost.
    ///
    /// Calls of users go through: typed and raw requests, the pages of lists, pings, what is asked of tasks. Not the
    /// handshake, nor what the client does for its own sake: keep-alive, subscriptions, looking at a task on behalf of the
    /// call that became it. A result that is kept and fresh ([`cache`](Self::cache)) is given without asking the layers.
    /// The limit of a call's total time holds for all attempts together.
    ///
    /// Any layer of tower will do; errors of other types than [`Error`] become one of kind
    /// [`ErrorKind::Layer`](crate::ErrorKind::Layer), with the original as its source. Each layer that is given here by
    /// itself costs a call one allocation; several in one, such as a stack of `tower::ServiceBuilder`, cost one together.
    ///
    /// # Order
    ///
    /// What gives up goes outside of what tries again, and what tries again outside of what counts failures: deadline,
    /// retry, breaker, limits. The other way round, limits outside of retry, is wrong: then a call holds its place at the
    /// limit while it waits for its next attempt, so that a few calls to a server that fails keep all others waiting, and
    /// attempts after the first one are not limited at all.
    ///
    /// ```
    /// use std::future::Future;
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    /// use bowline_client::{Call, CallService, Client, Error, Reply};
    /// use tower_layer::layer_fn;
    /// use tower_service::Service;
    ///
    /// /// Prints each call.
    /// #[derive(Clone)]
    /// struct Print<S>(S);
    ///
    /// impl<S: Service<Call>> Service<Call> for Print<S> {
    ///     type Response = S::Response;
    ///     type Error = S::Error;
    ///     type Future = S::Future;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, call: Call) -> S::Future {
    ///         println!("{} {}", call.method(), call.name().unwrap_or_default());
    ///         self.0.call(call)
    ///     }
    /// }
    ///
    /// let builder = Client::builder().layer(layer_fn(|inner: CallService| Print(inner)));
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Call>>::Error: Into<BoxError>,
        <L::Service as Service<Call>>::Future: Send,
    {
        self.layers.push(layer);
        self
    }

    /// Has `screen` look at what a server says of itself, after each handshake and before anybody else sees it: models
    /// read its instructions. What it changes goes on changed, but for the revision, which was agreed on. More calls add
    /// more, which look at what the ones before left.
    ///
    /// It is called in the task that connects, so it must not wait.
    ///
    /// ```
    /// let builder = bowline_client::Client::builder().screen_server(|server| server.instructions = None);
    /// ```
    pub fn screen_server(mut self, screen: impl Fn(&mut ServerInfo) + Send + Sync + 'static) -> Self {
        self.screens.push(screen);
        self
    }

    /// Has `screen` decide on each resource that a [subscription](Client::listen) asks for, before the server is asked: on a
    /// `resources/subscribe` with its URI for a name, in either era, since subscriptions pass no [layer](Self::layer). With
    /// an error the subscription is not made. More calls add more, and all of them have to agree. It is not asked again
    /// where a subscription is taken up again over another connection.
    ///
    /// ```
    /// use bowline_client::{Call, Client, Error};
    ///
    /// let builder = Client::builder().screen_subscriptions(|call: Call| async move {
    ///     match call.name() {
    ///         Some(uri) if uri.starts_with("note://") => Ok(()),
    ///         _ => Err(Error::refused_by_layer("only notes are watched")),
    ///     }
    /// });
    /// ```
    pub fn screen_subscriptions<F, R>(mut self, screen: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.subscription_screens.push(screen);
        self
    }

    /// Has `screen` decide by its method on each request of the server that a handler would serve (`roots/list`,
    /// `sampling/createMessage`, `elicitation/create`), be it a request of its own or a question inside of a result, before
    /// the handler sees it. An error is the answer; a call that waits for it fails
    /// ([`ErrorKind::InputRefused`](crate::ErrorKind::InputRefused)). More calls add more, and all of them have to agree.
    ///
    /// It is called in the task that serves the request, so it must not wait.
    ///
    /// ```
    /// use bowline_client::{Client, refused};
    ///
    /// let builder = Client::builder().screen_requests(|method| match method {
    ///     "roots/list" => Ok(()),
    ///     _ => Err(refused()),
    /// });
    /// ```
    pub fn screen_requests(mut self, screen: impl Fn(&str) -> Result<(), ErrorObject> + Send + Sync + 'static) -> Self {
        self.ask_screens.push(screen);
        self
    }

    /// Sets whether what the server says of its tools (`readOnlyHint`, `idempotentHint`) decides about their
    /// [`Safety`](crate::Safety), once they were listed. Default: no, as any server can say anything.
    pub const fn trust_annotations(mut self, trust: bool) -> Self {
        self.trusts_annotations = trust;
        self
    }

    /// Connects and agrees with the server on a revision.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), [`ErrorKind::Connect`](crate::ErrorKind::Connect): no connection, or it ended before the handshake did; a
    ///   child's exit status and last words are in the error.
    /// - [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): connecting and handshake took longer than [`Timeouts::connect`].
    /// - [`ErrorKind::Server`](crate::ErrorKind::Server): the server refused.
    /// - [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion): there is no common revision.
    /// - [`ErrorKind::Config`](crate::ErrorKind::Config): settings that make no sense, such as a minimum above its maximum.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the server is not left behind.
    pub async fn connect(self, connector: impl Connect) -> Result<Client, Error> {
        self.open(Box::new(connector)).await
    }

    /// As [`connect`](Self::connect). Behind a box, so that what connecting and serving take is compiled here once, and
    /// not once more into every program that connects.
    fn open(self, connector: Box<dyn Connect>) -> BoxFuture<'static, Result<Client, Error>> {
        Box::pin(self.opened(connector))
    }

    async fn opened(self, connector: Box<dyn Connect>) -> Result<Client, Error> {
        self.reconnect.as_ref().map_or(Ok(()), Reconnect::check)?;
        self.keep_alive.as_ref().map_or(Ok(()), KeepAlive::check)?;
        let introduction = Introduction {
            info: self.info,
            declared: self.handlers.declared(),
            extensions: self.extensions,
            names_itself: self.names_itself,
            trace: self.trace,
        };
        let identity = connector.identity();
        // A connector without a name of its own remembers for itself.
        let eras = if identity.is_some() { self.eras.unwrap_or_else(Eras::of_the_process) } else { Eras::new() };
        let dialer = Dialer {
            connector,
            introduction: Arc::new(introduction),
            wanted: self.wanted,
            eras,
            identity: identity.unwrap_or_default(),
            settings: CallSettings {
                timeouts: self.timeouts,
                allow_undeclared: self.allow_undeclared,
                max_rounds: self.max_rounds,
                tasks: self.tasks,
                keep_alive: self.keep_alive,
            },
            handlers: Handlers { asks: Arc::new(Asks::new(self.ask_limits, self.ask_screens)), ..self.handlers },
            kept: Arc::new(Kept::new(
                self.cache,
                self.output,
                self.trusts_annotations,
                self.known_tools.unwrap_or_default(),
            )),
            screens: self.screens,
            subscription_screens: self.subscription_screens,
        };
        let listeners = (self.on_event, self.on_connection);
        Supervisor::start(dialer, self.reconnect, listeners, &self.layers).await.map(Client::new)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("info", &self.info)
            .field("wanted", &self.wanted)
            .field("extensions", &self.extensions.keys().collect::<Vec<_>>())
            .field("max_rounds", &self.max_rounds)
            .field("tasks", &self.tasks)
            .field("timeouts", &self.timeouts)
            .field("keep_alive", &self.keep_alive)
            .field("reconnect", &self.reconnect)
            .field("allow_undeclared", &self.allow_undeclared)
            .field("cache", &self.cache)
            .field("declared", &self.handlers.declared())
            .field("ask_limits", &self.ask_limits)
            .field("layers", &self.layers)
            .field("trusts_annotations", &self.trusts_annotations)
            .finish_non_exhaustive()
    }
}
