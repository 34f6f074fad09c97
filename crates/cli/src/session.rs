//! One run against one server: connect, do something, close, whatever happens in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline::auth::OAuth;
use bowline::protocol::{LoggingLevel, LoggingMessageNotificationParams};
use bowline::transport::Connect;
use bowline::{Client, ClientBuilder, Event, Timeouts, config};
use bowline_testkit::Inspector;
use tokio::sync::Notify;

use crate::console::Console;
use crate::elicit;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Global, Server};
use crate::render;
use crate::sanitize;
use crate::server::{self, Named};
use crate::styled::Styled;

/// How much of a frame is shown with `-vv`, in characters.
const SHOWN: usize = 2_000;

/// How long a server may take to answer what only makes it say more.
const LOG_LEVEL_PATIENCE: Duration = Duration::from_secs(5);

/// How long the end of a command waits for a renewal of tokens that goes on.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// What every command has at hand. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) global: Arc<Global>,
    pub(crate) console: Console,
    /// Told when a person pressed Ctrl-C where it made no signal: in a form.
    pub(crate) interrupted: Arc<Notify>,
    /// What answers for servers.
    authorizations: Arc<Mutex<Vec<OAuth>>>,
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
        Self { global: Arc::new(global), console, interrupted: Arc::default(), authorizations: Arc::default() }
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

    /// As [`with_server`](Self::with_server), with a client of the command's own making.
    pub(crate) async fn with_server_as(
        &self,
        server: &Server,
        builder: ClientBuilder,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let named = server::named(self, server).await?;
        // What the command line says is meant; what the file says comes before the defaults.
        let configured = server.configured.as_ref().map(|configured| configured.timeouts).unwrap_or_default();
        let timeouts = self.timeouts(&configured);
        let result = match named {
            Named::Program(connect) => self.with_client(builder.timeouts(timeouts), connect, body).await,
            Named::Url(target) => self.with_client(builder.timeouts(timeouts), target, body).await,
        };
        result.map_err(|stop| stop.about(server))
    }

    /// As [`with_server`](Self::with_server), with a client and a connection of the command's own.
    pub(crate) async fn with_client(
        &self,
        builder: ClientBuilder,
        connect: impl Connect,
        body: impl AsyncFnOnce(&Client) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut signals = Signals::new()?;
        let connecting = async {
            if self.console.verbose() < 2 {
                return builder.connect(connect).await;
            }
            let console = self.console.clone();
            let inspector =
                Inspector::builder().on_event(move |told| console.line(render::passed(told, SHOWN))).build();
            builder.connect(inspector.wrap(connect)).await
        };
        let client = tokio::select! {
            biased;
            () = signals.next() => return Err(interrupted()),
            client = connecting => client?,
        };
        let result = tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            () = self.interrupted.notified() => Err(interrupted()),
            result = async {
                self.raise_log_level(&client).await;
                body(&client).await
            } => result,
        };
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

    /// A client as the options want it.
    pub(crate) fn builder(&self, logs: Logs) -> Result<ClientBuilder, CliError> {
        let mut builder = Client::builder()
            .timeouts(self.timeouts(&config::Timeouts::default()))
            .on_elicitation(elicit::Terminal::new(self));
        if let Some(revision) = server::revision(&self.global)? {
            builder = builder.revision(revision);
        }
        if !self.global.roots.is_empty() {
            builder = builder.roots(server::roots(&self.global)?);
        }
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

    fn timeouts(&self, configured: &config::Timeouts) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(limit) = self.global.connect_timeout.or(configured.connect) {
            timeouts = timeouts.with_connect(limit);
        }
        if let Some(limit) = self.global.max_time.or(configured.total) {
            timeouts = timeouts.with_total(limit).with_task(limit);
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
