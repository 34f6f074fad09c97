//! What a caller wants, as layers pass it on.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{LoggingLevel, Meta, ProgressToken, RawJson, TaskSupport, method};
use tokio::time::Instant;

use super::{ProgressSink, Safety};
use crate::call::{Behind, Call as Running, CallOptions, OnProgress, Rare};
use crate::kept::ListsVersion;
use crate::request::name_in;
use crate::server_info::ServerInfo;
use crate::supervisor::Supervisor;
use crate::tasks::TaskOptions;
use crate::timeouts::NEVER;

/// What a caller wants of a server: one request, whatever rounds and attempts it takes.
///
/// It is what [layers](crate::ClientBuilder::layer) get and pass on. A clone is another attempt at the same, and costs
/// reference counts. The typed requests of [`Client`](crate::Client) become one of their own accord; one that is made by
/// hand goes to [`Client::service`](crate::Client::service).
///
/// ```
/// use std::time::Duration;
/// use bowline_client::{Call, Safety};
/// use bowline_protocol::RawJson;
///
/// let params: RawJson = r#"{"name":"search","arguments":{"q":"knots"}}"#.parse()?;
/// let call = Call::new("tools/call").with_params(params).with_total(Duration::from_secs(5));
/// assert_eq!((call.name(), call.safety()), (Some("search"), Safety::Unsafe));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Call {
    method: Cow<'static, str>,
    name: Option<Arc<str>>,
    params: Option<RawJson>,
    idle: Option<Duration>,
    total: Option<Duration>,
    started: Option<Instant>,
    meta: Option<Meta>,
    safety: Safety,
    progress: Option<ProgressSink>,
    attempt: u32,
    pub(crate) how: How,
}

/// What the client's own requests say beyond that, which is nothing to layers.
#[derive(Clone, Default)]
pub(crate) struct How {
    token: Option<ProgressToken>,
    own_token: bool,
    may_take_long: bool,
    behind: Behind,
    log_level: Option<LoggingLevel>,
    by_hand: bool,
    /// Whether URLs that the server wants visited first are taken to the handler.
    pub(crate) visits: bool,
    task_wanted: bool,
    task_ttl: Option<Duration>,
    task_support: Option<TaskSupport>,
    round: Option<RawJson>,
    /// The one session in which it may go out.
    pub(crate) session: Option<u64>,
    /// Whether its reply tells what is read leniently in it, since no typed request does.
    pub(crate) tells: bool,
    /// What is known of the server, for layers alone.
    known: Option<(Arc<ServerInfo>, ListsVersion)>,
}

impl Call {
    /// A call of any method, as safe as the method is.
    pub fn new(method: impl Into<Cow<'static, str>>) -> Self {
        let method = method.into();
        Self {
            safety: Safety::of_method(&method),
            method,
            name: None,
            params: None,
            idle: None,
            total: None,
            started: None,
            meta: None,
            progress: None,
            attempt: 1,
            how: How { may_take_long: true, visits: true, ..How::default() },
        }
    }

    /// The intent of a run that is about to begin. `progress` is what its options say of progress.
    pub(crate) fn of(
        run: &Running,
        safety: Safety,
        progress: Option<ProgressSink>,
        session: Option<u64>,
        visits: bool,
    ) -> Self {
        let options = &run.options;
        let how = How {
            token: options.token.clone().filter(|_| options.own_token),
            own_token: options.own_token,
            may_take_long: options.may_take_long,
            behind: options.behind().cloned().unwrap_or_default(),
            log_level: options.log_level().cloned(),
            by_hand: options.by_hand,
            visits: visits && !options.no_visits,
            task_wanted: options.task().is_some_and(|task| task.wanted),
            task_ttl: options.task().and_then(|task| task.ttl),
            task_support: options.task().and_then(|task| task.support.clone()),
            round: run.round.clone(),
            session,
            tells: false,
            known: None,
        };
        Self {
            method: run.method.clone(),
            name: run.name.clone(),
            params: run.params.clone(),
            idle: options.idle,
            total: options.total,
            started: None,
            meta: options.meta().cloned(),
            safety,
            progress,
            attempt: 1,
            how,
        }
    }

    /// The run of this intent.
    pub(crate) fn into_run(self) -> Running {
        let how = self.how;
        let task = TaskOptions {
            wanted: how.task_wanted,
            ttl: how.task_ttl,
            support: how.task_support,
            ..TaskOptions::default()
        };
        // What the method says, the transport knows by itself.
        let is_unlike = self.safety == Safety::Unsafe && method::changes_nothing(&self.method);
        let rare = Rare {
            meta: self.meta,
            on_progress: self.progress.map(|sink| Box::new(move |progress| sink.tell(progress)) as OnProgress),
            behind: how.behind,
            log_level: how.log_level,
            task,
            safety: is_unlike.then_some(Safety::Unsafe),
        };
        let options = CallOptions {
            idle: self.idle,
            total: self.total,
            started: self.started,
            token: how.token,
            own_token: how.own_token,
            may_take_long: how.may_take_long,
            by_hand: how.by_hand,
            no_visits: !how.visits,
            ..CallOptions::with(rare)
        };
        Running {
            method: self.method,
            name: self.name,
            params: self.params,
            round: how.round,
            options,
            ..Running::default()
        }
    }

    /// Tells layers which server it goes to.
    pub(crate) fn through(mut self, supervisor: &Supervisor) -> Self {
        let link = supervisor.current();
        let version = supervisor.kept().lists_version(link.epoch);
        self.how.known = Some((Arc::clone(&link.server), version));
        self
    }

    pub(crate) const fn started_at(mut self, now: Instant) -> Self {
        self.started = Some(now);
        self
    }

    /// The method, such as `tools/call`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What the method is applied to: a tool's or prompt's name, a resource's URI, a task's id.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same, to be kept.
    pub const fn shared_name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The parameters, without `_meta`.
    pub const fn params(&self) -> Option<&RawJson> {
        self.params.as_ref()
    }

    /// The caller's own `_meta`.
    pub const fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// How long an attempt may go without an answer or progress, where the call says so; else it is
    /// [`Timeouts::idle`](crate::Timeouts::idle).
    pub const fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// How long all attempts may take together, where that is set: it is for what came through a client.
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }

    /// When the total limit is reached, if there is one. Counts from the moment when the first service got the call,
    /// and from now where none has yet.
    pub fn deadline(&self) -> Option<Instant> {
        let started = self.started.unwrap_or_else(Instant::now);
        self.total.map(|total| started + total.min(NEVER))
    }

    /// Whether it may be sent again where nobody knows what became of it.
    pub const fn safety(&self) -> Safety {
        self.safety
    }

    /// What the server of the newest connection said of itself; none where the call did not come through a client.
    ///
    /// It is for records: never decide by it who a server is.
    pub fn server(&self) -> Option<&Arc<ServerInfo>> {
        self.how.known.as_ref().map(|(server, _)| server)
    }

    /// Which state of the server's lists the call is made under; none where it did not come through a client.
    ///
    /// It is another one after each connection, and after each word of the server that a list changed. So what a layer
    /// has learned from a list is good for calls of the same version, but for servers that do not tell of changes.
    pub fn lists_version(&self) -> Option<ListsVersion> {
        self.how.known.as_ref().map(|(_, version)| *version)
    }

    /// Where progress goes.
    pub const fn progress(&self) -> Option<&ProgressSink> {
        self.progress.as_ref()
    }

    /// Which attempt it is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether a second attempt may run beside this one: not where the caller chose the progress token, which two open
    /// requests must not share, nor where it is one round of several.
    pub const fn may_run_twice_at_once(&self) -> bool {
        !self.how.own_token && self.how.round.is_none()
    }

    /// Whether the same question gets the same answer from whoever has one: not where the request asks for log messages
    /// or a task, has metadata of its own, or is one round of several or one page of several in a session.
    pub fn is_self_contained(&self) -> bool {
        let how = &self.how;
        self.meta.is_none()
            && how.log_level.is_none()
            && how.round.is_none()
            && how.session.is_none()
            && !how.by_hand
            && !how.task_wanted
            && how.task_support != Some(TaskSupport::Required)
    }

    /// Says what the method is applied to. Default: what the parameters say, for methods of the specification.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the parameters, a JSON object without `_meta`. Default: none.
    #[must_use]
    pub fn with_params(mut self, params: RawJson) -> Self {
        if self.name.is_none() {
            self.name = name_in(&self.method, &params).map(Arc::from);
        }
        self.params = Some(params);
        self
    }

    /// The same call with other parameters of the same form: for a layer that takes something out of them. The name is
    /// what they say, where they say one.
    #[must_use]
    pub fn replacing_params(mut self, params: RawJson) -> Self {
        if let Some(name) = name_in(&self.method, &params) {
            self.name = Some(Arc::from(name));
        }
        self.params = Some(params);
        self
    }

    /// Sets `_meta`. Keys of the protocol itself are the client's. Default: none.
    #[must_use]
    pub fn with_meta(mut self, meta: Meta) -> Self {
        self.meta = Some(meta);
        self
    }

    /// Sets how long an attempt may go without an answer or progress.
    #[must_use]
    pub const fn with_idle(mut self, limit: Duration) -> Self {
        self.idle = Some(limit);
        self
    }

    /// Sets how long all attempts may take together, unless the limit is shorter already.
    #[must_use]
    pub fn with_total(mut self, limit: Duration) -> Self {
        self.total = Some(self.total.map_or(limit, |total| total.min(limit)));
        self
    }

    /// Sets the safety. Default: that of the method.
    #[must_use]
    pub const fn with_safety(mut self, safety: Safety) -> Self {
        self.safety = safety;
        self
    }

    /// Sets where progress goes. Default: nowhere.
    #[must_use]
    pub fn with_progress(mut self, sink: ProgressSink) -> Self {
        self.progress = Some(sink);
        self
    }

    /// Tells progress to nobody.
    #[must_use]
    pub fn without_progress(mut self) -> Self {
        self.progress = None;
        self
    }

    /// Notes that the call is under way from now on, unless it is already: [`total`](Self::total) counts from there.
    #[must_use]
    pub fn begun(mut self) -> Self {
        self.started.get_or_insert_with(Instant::now);
        self
    }

    /// The same call as its next attempt.
    #[must_use]
    pub fn next_attempt(&self) -> Self {
        Self { attempt: self.attempt.saturating_add(1), ..self.clone() }
    }
}

impl fmt::Debug for Call {
    /// Without parameters and metadata: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("name", &self.name)
            .field("idle", &self.idle)
            .field("total", &self.total)
            .field("safety", &self.safety)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
