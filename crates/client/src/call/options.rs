//! What a caller may set on any request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bowline_protocol::{LoggingLevel, Meta, ProgressNotificationParams, ProgressToken};
use tokio::time::Instant;

use crate::plane::Safety;
use crate::tasks::{OnStatus, TaskOptions};

/// What is called with each progress notification of a call, in order, before the call returns.
pub(crate) type OnProgress = Box<dyn FnMut(ProgressNotificationParams) + Send>;

/// What becomes of progress for which the connection has no room, because it is not taken in time.
#[derive(Clone, Default)]
pub(crate) enum Behind {
    /// The oldest gives way.
    #[default]
    Drops,
    /// The same, and it is counted here.
    Counts(Arc<AtomicU64>),
    /// The call fails.
    Fails,
}

/// What a caller may set on any request.
///
/// What most callers never set lies in a box: a request goes from hand to hand a few times before it is sent.
#[derive(Default)]
pub(crate) struct CallOptions {
    pub(crate) idle: Option<Duration>,
    pub(crate) total: Option<Duration>,
    pub(crate) token: Option<ProgressToken>,
    /// Whether the token is the caller's choice.
    pub(crate) own_token: bool,
    /// From when the total limit counts, if not from the moment when it is run.
    pub(crate) started: Option<Instant>,
    /// Whether the request asks for progress even if nobody listens: progress extends the idle limit.
    pub(crate) may_take_long: bool,
    /// Whether the caller takes the rounds by hand.
    pub(crate) by_hand: bool,
    /// Whether the caller sees to visits to URLs itself.
    pub(crate) no_visits: bool,
    /// Whether the result may be kept, where results are.
    pub(crate) keep: bool,
    /// Whether a kept result will not do.
    pub(crate) fresh: bool,
    /// What few set; see [`rare_mut`](Self::rare_mut).
    pub(crate) rare: Option<Box<Rare>>,
}

/// What is set on few requests.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) meta: Option<Meta>,
    pub(crate) on_progress: Option<OnProgress>,
    /// What becomes of progress that nobody takes in time.
    pub(crate) behind: Behind,
    /// Which log messages are wanted while it runs (2026-07-28).
    pub(crate) log_level: Option<LoggingLevel>,
    pub(crate) task: TaskOptions,
    /// Whether it may be sent again where nobody knows what became of it, for a caller who knows.
    pub(crate) safety: Option<Safety>,
}

impl Rare {
    /// Whether anything of it was set.
    fn is_set(&self) -> bool {
        let Self { meta, on_progress, behind, log_level, task, safety } = self;
        let TaskOptions { wanted, ttl, support, on_status } = task;
        meta.is_some()
            || on_progress.is_some()
            || !matches!(behind, Behind::Drops)
            || log_level.is_some()
            || *wanted
            || ttl.is_some()
            || support.is_some()
            || on_status.is_some()
            || safety.is_some()
    }
}

impl CallOptions {
    /// Options of which this is all that was set.
    pub(crate) fn with(rare: Rare) -> Self {
        Self { rare: rare.is_set().then(|| Box::new(rare)), ..Self::default() }
    }

    /// What is rare, to set some of it.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn meta(&self) -> Option<&Meta> {
        self.rare.as_ref()?.meta.as_ref()
    }

    pub(crate) fn behind(&self) -> Option<&Behind> {
        Some(&self.rare.as_ref()?.behind)
    }

    pub(crate) fn log_level(&self) -> Option<&LoggingLevel> {
        self.rare.as_ref()?.log_level.as_ref()
    }

    pub(crate) fn task(&self) -> Option<&TaskOptions> {
        Some(&self.rare.as_ref()?.task)
    }

    pub(crate) fn safety(&self) -> Option<Safety> {
        self.rare.as_ref()?.safety
    }

    pub(crate) fn on_progress_mut(&mut self) -> Option<&mut OnProgress> {
        self.rare.as_mut()?.on_progress.as_mut()
    }

    pub(crate) fn take_on_progress(&mut self) -> Option<OnProgress> {
        self.rare.as_mut()?.on_progress.take()
    }

    pub(crate) fn take_on_status(&mut self) -> Option<OnStatus> {
        self.rare.as_mut()?.task.on_status.take()
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("idle", &self.idle)
            .field("total", &self.total)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
