//! The task that replaces a lost connection.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bowline_protocol::{RawJson, SetLevelRequestParams, SubscribeRequestParams, method};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{ConnectionEvent, GaveUp, Supervisor, lost};
use crate::call::Call;
use crate::dial::Link;
use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::reconnect::random;

/// Tries to replace the connection until it succeeds, cannot succeed, or was tried often enough.
pub(super) async fn redial(supervisor: Weak<Supervisor>, epoch: u64, row: u64) {
    loop {
        // Held during an attempt only, so that a client that was dropped stays dropped.
        let Some(delay) = supervisor.upgrade().and_then(|this| this.before(row)) else { return };
        sleep(delay).await;
        let Some(this) = supervisor.upgrade() else { return };
        let Some(attempt) = this.wake(row) else { return };
        let Some(error) = this.attempt(epoch, row, attempt).await else { return };
        let Some((tried, failures)) = this.failed(row, &error) else { return };
        tracing::debug!(%error, tried, failures, "could not replace the lost connection");
        if tried >= this.policy.attempts || error.is_permanent() {
            return this.give_up(row, GaveUp { error, until: Instant::now() + this.policy.max_delay, is_limit: false });
        }
    }
}

impl Supervisor {
    /// How long to wait before an attempt; none where there may be no other for now, which is told.
    fn before(&self, row: u64) -> Option<Duration> {
        let mut state = self.state();
        let attempt = state.row(row)?.tried + 1;
        let delay = self.policy.delay(state.failures, random());
        if self.starts_servers
            && let Err(wait) = state.restarts.begin(&self.policy, Instant::now() + delay)
        {
            let error = state.why.clone().unwrap_or_else(Error::closed);
            drop(state);
            self.give_up(row, GaveUp { error, until: Instant::now() + delay + wait, is_limit: true });
            return None;
        }
        drop(state);
        if !delay.is_zero() {
            self.tell_change(|| ConnectionEvent::Waiting { attempt, delay });
        }
        Some(delay)
    }

    /// The number of the attempt that a row begins now, unless another row took its place.
    fn wake(&self, row: u64) -> Option<u32> {
        let mut state = self.state();
        let row = state.row(row)?;
        row.sleeps = false;
        Some(row.tried + 1)
    }

    /// Notes that an attempt failed; tells how many did in its row, and since the last good connection.
    fn failed(&self, row: u64, error: &Error) -> Option<(u32, u32)> {
        let mut state = self.state();
        let row = state.row(row)?;
        row.tried += 1;
        row.sleeps = true;
        let tried = row.tried;
        state.failures = state.failures.saturating_add(1);
        state.why = Some(error.clone());
        Some((tried, state.failures))
    }

    /// One attempt to replace the connection; `None` when it succeeded, or when nobody needs it any more.
    async fn attempt(self: &Arc<Self>, epoch: u64, row: u64, attempt: u32) -> Option<Error> {
        self.tell_change(|| ConnectionEvent::Connecting { attempt });
        let started_again = || {
            if self.starts_servers {
                self.state().restarts.note(Instant::now());
            }
        };
        let link = match self.dialer.dial(epoch, &self.events, lost(&self.home, epoch), started_again).await {
            Ok(link) => Arc::new(link),
            Err(error) => {
                self.tell_change(|| ConnectionEvent::Failed { attempt, error: error.clone() });
                return Some(error);
            }
        };
        self.tell_again(&link).await;
        let mut state = self.state();
        if state.closed || state.row(row).is_none() {
            return None;
        }
        let before = std::mem::replace(&mut state.link, Arc::clone(&link));
        state.redialing = None;
        // While the state is held, so that its loss is told after it.
        self.tell_change(|| ConnectionEvent::Connected { connection: epoch, revision: link.server.revision });
        if !before.server.is_stateless() {
            self.tell_change(|| ConnectionEvent::SessionReplaced);
        }
        drop(state);
        // Another session may be one with another server behind it.
        self.kept().outputs.forget();
        self.events.emit(|| Event::Reconnected);
        self.changed.send_replace(());
        if let Some(error) = link.owner.connection.closed() {
            self.lost(epoch, error);
        }
        None
    }

    fn give_up(&self, row: u64, gave_up: GaveUp) {
        let mut state = self.state();
        if state.row(row).is_none() {
            return;
        }
        self.tell_change(|| ConnectionEvent::GaveUp {
            error: gave_up.now(&self.policy).unwrap_or_else(|| gave_up.error.clone()),
            until: gave_up.until.saturating_duration_since(Instant::now()),
        });
        state.gave_up = Some(gave_up);
        state.redialing = None;
        drop(state);
        self.changed.send_replace(());
    }

    /// Tells a fresh session what the lost one was told. What it refuses is traced: the session itself is good.
    async fn tell_again(&self, link: &Link) {
        let level = self.state().level.clone();
        if let Some(level) = level
            && !link.owner.connection.log_from_now_on(&level)
        {
            let _ = tell(link, method::LOGGING_SET_LEVEL, &SetLevelRequestParams::new(level)).await;
        }
        let mut told = Vec::new();
        // Without a session each subscription is a request of its own.
        if !link.server.is_stateless() {
            for uri in self.held.wanted() {
                let params = SubscribeRequestParams::new(uri.as_str());
                told.push((uri, tell(link, method::RESOURCES_SUBSCRIBE, &params).await));
            }
        }
        self.held.renew(link.epoch, told);
    }
}

async fn tell(link: &Link, method: &'static str, params: &(impl Serialize + Sync)) -> Result<(), Error> {
    let encoded = RawJson::from_serialize(params);
    let params = encoded.map_err(|e| Error::new(ErrorKind::Config, format!("the parameters cannot be json: {e}")))?;
    let mut call = Call { method: method.into(), params: Some(params), ..Call::default() };
    match call.run_once(&link.owner.connection).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the fresh session refused what the lost one had accepted");
            Err(error)
        }
    }
}
