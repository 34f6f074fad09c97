//! One run against one server: connect, do something, close, whatever happens in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline::auth::OAuth;
use bowline::guard::{Deferred, Guard, GuardLayer};
use bowline::hub::{Pool, Replica};
use bowline::protocol::{LoggingLevel, LoggingMessageNotificationParams, Revision};
use bowline::store::EmbeddedStore;
use bowline::transport::Connect;
use bowline::{Client, ClientBuilder, ConfiguredLayers, Event, Folders, Timeouts, config};
use bowline_testkit::Inspector;
use tokio::sync::Notify;

use crate::configured::{self, Configured};
use crate::console::Console;
use crate::elicit;
use crate::exit::{CliError, Code, Stop};
use crate::guarded::{self, Guarding};
use crate::login;
use crate::options::{Global, Server};
use crate::render;
use crate::sanitize;
use crate::server::{self, Named};
use crate::styled::Styled;

/// How much of a frame is shown with `-vv`, in characters.
const SHOWN: usize = 2_000;

/// How long a server may take to answer what only makes it say more.
const LOG_LEVEL_PATIENCE: Duration = Duration::from_secs(5);

/// How long the end of a command waits for the connections of a pool.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How long the end of a command waits for a renewal of tokens that goes on.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// What every command has at hand. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) global: Arc<Global>,
    pub(crate) console: Console,
    /// Told when a person pressed Ctrl-C where it made no signal: in a form.
    pub(crate) interrupted: Arc<Notify>,
    /// Who has the terminal to ask something: one at a time, whoever it is for.
    pub(crate) asking: Arc<tokio::sync::Mutex<()>>,
    /// What answers for servers.
    authorizations: Arc<Mutex<Vec<OAuth>>>,
    /// What decides which calls go.
    pub(crate) guarding: Guarding,
    /// Whether many servers are asked at once, so that a person cannot tell which one wants something.
    is_for_many: bool,
    /// What to do where nobody can be asked; for a command that goes on, so that no error of its own says it.
    pub(crate) without_terminal: Option<&'static str>,
}

/// Where the server's log messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// To standard error: warnings and worse, with `-v` all.
    Console,
    /// The command prints them itself.
    Command,
}

impl Run {
    pub(crate) fn new(global: Global) -> Self {
        let console = Console::new(&global);
        let (interrupted, asking, authorizations, guarding) = Default::default();
        Self {
            global: Arc::new(global),
            console,
            interrupted,
            asking,
            authorizations,
            guarding,
            is_for_many: false,
            without_terminal: None,
        }
    }

    /// The same run, for many servers at once: nobody is asked to log in.
    pub(crate) fn for_many(&self) -> Self {
        Self { global: Arc::new(self.global.for_configured()), is_for_many: true, ..self.clone() }
    }

    /// The same run, with what the options of one command say of calls beside those of every command: to be asked before
    /// the guard is made.
    pub(crate) fn deciding(&self, change: impl FnOnce(&mut Global)) -> Self {
        let mut global = Global::clone(&self.global);
        change(&mut global);
        Self { global: Arc::new(global), ..self.clone() }
    }

    /// Whether a person can be asked to log in to a server.
    pub(crate) fn may_ask_to_log_in(&self) -> bool {
        !self.is_for_many && login::may_ask()
    }

    /// Has an authorization waited for at the end.
    pub(crate) fn settle_later(&self, oauth: &OAuth) {
        self.authorizations.lock().unwrap_or_else(PoisonError::into_inner).push(oauth.clone());
    }

    /// Waits for renewals of tokens that go on, for what comes of them must be kept.
    pub(crate) async fn settle(&self) {
        let all = std::mem::take(&mut *self.authorizations.lock().unwrap_or_else(PoisonError::into_inner));
        for oauth in all {
            oauth.settle(SETTLE_WITHIN).await;
        }
        self.guarding.settle(&self.console).await;
    }

    /// The guard of this run.
    ///
    /// # Errors
    /// Where a policy or a lock file is refused.
    pub(crate) fn guard(&self) -> Result<&Guard, CliError> {
        self.guarding.guard(&self.global, || self.terminal())
    }

    /// The guard's layer for a server.
    ///
    /// # Errors
    /// Those of [`guard`](Self::guard).
    pub(crate) fn guard_layer(&self, server: &guarded::Named<'_>) -> Result<GuardLayer, CliError> {
        self.guarding.layer(&self.global, server, || self.terminal())
    }

    /// A client's settings with the person at the terminal, who is asked what the server wants to know once the guard has
    /// looked at it.
    ///
    /// # Errors
    /// Those of [`guard`](Self::guard).
    pub(crate) fn asking(
        &self,
        server: &guarded::Named<'_>,
        builder: ClientBuilder,
    ) -> Result<ClientBuilder, CliError> {
        let terminal = elicit::Terminal::new(self);
        Ok(builder.on_elicitation(self.guard()?.elicitation(server.name(), terminal)))
    }

    /// Where answers and questions are kept.
    pub(crate) fn store(&self) -> Option<EmbeddedStore> {
        self.guarding.store()
    }

    /// Who is asked.
    fn terminal(&self) -> guarded::Terminal {
        let elsewhere = self.global.defer.zip(self.store());
        let elsewhere = elsewhere.map(|(wait, store)| Deferred::new(store).with_expiry(wait));
        guarded::Terminal::new(self, elsewhere)
    }

    /// Connects to the server that the options name, runs `body`, and closes: also after an error, a closed pipe or
    /// Ctrl-C. A second Ctrl-C does not wait for the server.
    pub(crate) async fn with_server(
        &self,
        server: &Server,
        logs: Logs,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.with_server_as(server, self.builder(logs)?, body).await
    }

    /// As [`with_server`](Self::with_server), with a client of the command's own making. What the server asks a person is
    /// looked at by the guard, as what it says is.
    pub(crate) async fn with_server_as(
        &self,
        server: &Server,
        builder: ClientBuilder,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let named = guarded::Named::of(server);
        // Outside of all others, so that what is tried again is one call.
        let builder = self.guard_layer(&named)?.around(self.asking(&named, builder)?);
        self.with_server_unguarded(server, builder, body).await
    }

    /// As [`with_server_as`](Self::with_server_as), for what a person looks at before it is pinned.
    pub(crate) async fn with_server_unguarded(
        &self,
        server: &Server,
        builder: ClientBuilder,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let named = server::named(self, server).await?;
        // What the command line says is meant; what the file says comes before the defaults.
        let configured = server.configured.as_deref();
        let limits = configured.map(|configured| configured.timeouts).unwrap_or_default();
        let timeouts = self.timeouts(&limits);
        let builder = match configured {
            Some(configured) => ConfiguredLayers::new(&configured.layers)?.around(builder.timeouts(timeouts)),
            None => builder.timeouts(timeouts),
        };
        let result = match configured.filter(|configured| configured.pool.is_some()) {
            Some(configured) => self.with_pool(configured, builder, named, body).await,
            None => self.with_client(builder, named.into_connector(), body).await,
        };
        result.map_err(|stop| stop.about(server))
    }

    /// As [`with_client`](Self::with_client), with whichever replica of a configured server can be had.
    async fn with_pool(
        &self,
        configured: &Configured,
        builder: ClientBuilder,
        first: Named,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut signals = Signals::new()?;
        let global = self.global.for_configured();
        let replica = |name: String, named: Named, weight| {
            let builder = builder.clone();
            let connector = self.inspected(named.into_connector());
            Replica::new(name, connector).with_weight(weight).with_builder(move || builder.clone())
        };
        let mut replicas = vec![replica("1".to_owned(), first, 1)];
        for (n, (endpoint, weight)) in configured::replicas(&global, configured)?.into_iter().enumerate() {
            let named = server::way(self, &global, "server", endpoint).await?;
            replicas.push(replica((n + 2).to_string(), named, weight));
        }
        let what = format!("server \"{}\"", sanitize::excerpt(&configured.name, 80));
        let settings = configured.pool.as_ref().map(bowline::pool_settings).unwrap_or_default();
        let pool = Pool::new(what, replicas, settings)?;
        let leased = tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            leased = pool.acquire(None) => leased.map_err(Stop::from),
        };
        let result = match leased {
            Ok(leased) => self.run_body(&mut signals, leased.client(), body).await,
            Err(stop) => Err(stop),
        };
        tokio::select! {
            biased;
            () = signals.next() => {}
            _ = pool.close(CLOSE_WITHIN) => {}
        }
        result
    }

    /// As [`with_server`](Self::with_server), with a client and a connection of the command's own.
    pub(crate) async fn with_client(
        &self,
        builder: ClientBuilder,
        connect: impl Connect,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut signals = Signals::new()?;
        let client = tokio::select! {
            biased;
            () = signals.next() => return Err(interrupted()),
            client = builder.connect(self.inspected(connect)) => client?,
        };
        let result = self.run_body(&mut signals, &client, body).await;
        // The body is gone, and with it every open request: the server has been told.
        tokio::select! {
            biased;
            () = signals.next() => {}
            closed = client.close() => {
                if let Err(error) = closed {
                    self.console.detail(format!("while closing: {error}"));
                }
            }
        }
        result
    }

    /// The way to a server, whose frames are shown with `-vv`.
    pub(crate) fn inspected(&self, connect: impl Connect) -> Box<dyn Connect> {
        if self.console.verbose() < 2 {
            return Box::new(connect);
        }
        let console = self.console.clone();
        let inspector = Inspector::builder().on_event(move |told| console.line(render::passed(told, SHOWN))).build();
        Box::new(inspector.wrap(connect))
    }

    async fn run_body(
        &self,
        signals: &mut Signals,
        client: &Client,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            () = self.interrupted.notified() => Err(interrupted()),
            result = async {
                self.raise_log_level(client).await;
                body(client).await
            } => result,
        }
    }

    /// A client as the options want it, which its server can ask nothing ([`asking`](Self::asking)).
    pub(crate) fn builder(&self, logs: Logs) -> Result<ClientBuilder, CliError> {
        let builder = self.settings()?.apply(Client::builder());
        let builder = builder.timeouts(self.timeouts(&config::Timeouts::default()));
        let console = self.console.clone();
        Ok(builder.on_event(move |event| match event {
            Event::Log(log) if logs == Logs::Console => show_log(&console, &log),
            Event::ElicitationComplete { .. } => console.note("the server says that the visit to its url is over"),
            Event::Fault(fault) => console.detail(format!("the server did something odd: {fault}")),
            Event::Output { tool, problem } => {
                console.warn(sanitize::excerpt(&format!("the tool `{tool}` broke its promise: {problem}"), 1_000));
            }
            Event::Lagged(count) => console.warn(format!("{count} notifications came faster than they could be read")),
            _ => {}
        }))
    }

    /// What the options say of every client.
    ///
    /// # Errors
    /// Where an option cannot be understood.
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        let roots = if self.global.roots.is_empty() { None } else { Some(server::roots(&self.global)?) };
        Ok(Settings { revision: server::revision(&self.global)?, roots })
    }

    pub(crate) fn timeouts(&self, configured: &config::Timeouts) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(limit) = self.global.connect_timeout.or(configured.connect) {
            timeouts = timeouts.with_connect(limit);
        }
        if let Some(limit) = self.global.max_time.or(configured.total) {
            timeouts = timeouts.with_total(limit).with_task(limit);
        }
        // Whoever is asked elsewhere has their time beside that of the server, unless the command line bounds all of it.
        if let Some(wait) = self.global.defer.filter(|_| self.global.max_time.is_none()) {
            timeouts = timeouts.with_total(timeouts.total.saturating_add(wait));
        }
        match self.global.timeout.or(configured.idle) {
            Some(limit) => timeouts.with_idle(limit),
            // Silence may mean that a person is filling in a form.
            None if elicit::is_interactive() => timeouts.with_idle(timeouts.total),
            None => timeouts,
        }
    }

    /// With `-v`, asks for more log messages where the server can be asked.
    async fn raise_log_level(&self, client: &Client) {
        let level = match self.console.verbose() {
            0 => return,
            1 => LoggingLevel::Info,
            _ => LoggingLevel::Debug,
        };
        if client.server().capabilities.logging.is_none() {
            return;
        }
        match tokio::time::timeout(LOG_LEVEL_PATIENCE, client.set_level(level)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.console.detail(format!("cannot ask for more log messages: {error}")),
            Err(_) => self.console.detail("the server does not answer to the wish for more log messages"),
        }
    }
}

/// What the options say of every client.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    revision: Option<Revision>,
    roots: Option<Folders>,
}

impl Settings {
    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match self.revision {
            Some(revision) => builder.revision(revision),
            None => builder,
        };
        match &self.roots {
            Some(roots) => builder.roots(roots.clone()),
            None => builder,
        }
    }
}

fn show_log(console: &Console, log: &LoggingMessageNotificationParams) {
    let is_warning = log.level >= LoggingLevel::Warning;
    if console.verbose() > 0 || (is_warning && console.is_talkative()) {
        console.line(log_line(log));
    }
}

/// A log message on one line.
pub(crate) fn log_line(log: &LoggingMessageNotificationParams) -> Styled {
    let data = log.data.parse::<String>().unwrap_or_else(|_| log.data.as_str().to_owned());
    let logger = log.logger.as_deref().map(|name| format!(" {}", sanitize::excerpt(name, 60))).unwrap_or_default();
    let level = sanitize::excerpt(log.level.as_str(), 20);
    Styled::new().bold(format!("log {level}")).dim(format!("{logger}: ")).plain(sanitize::excerpt(&data, 2_000))
}

/// The end of a run that a person or the system asked for.
pub(crate) fn interrupted() -> Stop {
    CliError::new(Code::Interrupted, "interrupted").into()
}

/// Ctrl-C, and the signals that ask a program to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    streams: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    pub(crate) fn new() -> Result<Self, CliError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| {
                signal(kind)
                    .map_err(|error| CliError::new(Code::Unexpected, format!("cannot listen for signals: {error}")))
            };
            let streams =
                [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?];
            Ok(Self { streams })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.streams;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
