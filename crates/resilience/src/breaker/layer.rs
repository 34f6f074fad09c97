//! The layer, its settings, and what there is to see and do from outside.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_client::{Error, ErrorKind, Reply};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tower_layer::Layer;

use super::Breaker;
use super::events::{self, BreakerEvent, BreakerEvents};
use super::machine::{Admission, BreakerState, End, Machine, Rules, Ticket};
use super::stats::{BreakerStats, Counters};
use crate::scope::{Keyed, Scope};
use crate::settings::{InvalidSetting, check};

type IsFailure = Arc<dyn Fn(&Error) -> bool + Send + Sync>;

/// Leaves a server, or a tool, alone for a while when too many of its calls fail or are slow.
///
/// Failures are those of the server: no connection, a lost one, silence, a broken protocol, statuses from 500. Its own
/// errors and results with `isError` are answers, so they count as successes; what went wrong on this side counts as
/// nothing. A breaker that is open answers at once with [`ErrorKind::BreakerOpen`], which says when the next call is let
/// through.
///
/// One layer is for one server: give each client one of its own. A clone is a handle to the same breaker, to look at
/// it, and to open and reset it by hand.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::{BreakerLayer, BreakerState, Scope};
///
/// let breaker = BreakerLayer::builder().scope(Scope::Tool).cool_down(Duration::from_secs(10)).build()?;
/// let builder = Client::builder().layer(breaker.clone());
/// assert_eq!(breaker.state(Some("search")), BreakerState::Closed);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct BreakerLayer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) scope: Scope,
    rules: Rules,
    slow_call: Duration,
    is_failure: Option<IsFailure>,
    /// How long a ping may take that goes before the first call, where that is wanted.
    pub(super) ping: Option<Duration>,
    machines: Mutex<Keyed<Machine>>,
    events: broadcast::Sender<BreakerEvent>,
    counters: Counters,
}

/// Settings of a [`BreakerLayer`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct BreakerBuilder {
    scope: Scope,
    rules: Rules,
    slow_call: Duration,
    is_failure: Option<IsFailure>,
    ping: Option<Duration>,
}

impl Default for BreakerBuilder {
    fn default() -> Self {
        let rules = Rules {
            window: Duration::from_secs(30),
            min_calls: 5,
            failure_rate: 0.5,
            slow_rate: 1.0,
            cool_down: Duration::from_secs(15),
            max_cool_down: Duration::from_secs(120),
            probes: 1,
        };
        Self { scope: Scope::Server, rules, slow_call: Duration::from_secs(60), is_failure: None, ping: None }
    }
}

impl BreakerBuilder {
    /// Sets whether there is one breaker, or one for each tool. Default: one for the server.
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets for how long the end of a call counts. Default: 30 s.
    pub const fn window(mut self, window: Duration) -> Self {
        self.rules.window = window;
        self
    }

    /// Sets how many calls the window has to have before they are judged. Default: 5.
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.rules.min_calls = calls;
        self
    }

    /// Sets the share of failures, above 0 and up to 1, at which it opens. Default: 0.5.
    pub const fn failure_rate(mut self, rate: f64) -> Self {
        self.rules.failure_rate = rate;
        self
    }

    /// Sets which calls are slow, and the share of them, above 0 and up to 1, at which it opens. Default: 60 s, and all.
    /// What counts is the time of the attempt at the server, without waits on this side.
    pub const fn slow_calls(mut self, slow: Duration, rate: f64) -> Self {
        self.slow_call = slow;
        self.rules.slow_rate = rate;
        self
    }

    /// Sets for how long it stays open, until probes are let through. It doubles each time that they fail, up to
    /// [`max_cool_down`](Self::max_cool_down). Default: 15 s.
    pub const fn cool_down(mut self, cool_down: Duration) -> Self {
        self.rules.cool_down = cool_down;
        self
    }

    /// Sets for how long it stays open at most. Default: 2 min.
    pub const fn max_cool_down(mut self, cool_down: Duration) -> Self {
        self.rules.max_cool_down = cool_down;
        self
    }

    /// Sets how many calls, or pings, are let through half-open, and have all to go well for it to close. Default: 1.
    pub const fn probes(mut self, probes: u32) -> Self {
        self.rules.probes = probes;
        self
    }

    /// Lets a ping go first when it is half-open (in revisions without one, `server/discover`), so that no call has to
    /// find out whether the server is well: the call waits for it, goes out where it is answered within `patience`, and is
    /// refused and not sent where it is not. Default: the call itself finds out, at the price of one that may fail.
    ///
    /// It is for breakers of a server: a ping says nothing of a tool.
    pub const fn ping_first(mut self, patience: Duration) -> Self {
        self.ping = Some(patience);
        self
    }

    /// Sets which errors count as failures, in place of those that do by default. All others count as successes.
    pub fn failure_if(mut self, is_failure: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.is_failure = Some(Arc::new(is_failure));
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where a rate is out of its range, a time or a count is zero, the cool-down is above its maximum, or a ping is to
    /// find out about tools.
    pub fn build(self) -> Result<BreakerLayer, InvalidSetting> {
        let rules = &self.rules;
        check(rules.window >= Duration::from_millis(10), || {
            format!("window is {:?}; set at least 10 ms to count over", rules.window)
        })?;
        check(rules.min_calls > 0, || "min_calls is 0, so no calls would be judged; set 1 or more".into())?;
        for (name, rate) in [("failure_rate", rules.failure_rate), ("the rate of slow_calls", rules.slow_rate)] {
            check(rate > 0.0 && rate <= 1.0, || format!("{name} is {rate}; set a share above 0 and up to 1"))?;
        }
        check(!self.slow_call.is_zero(), || "slow_calls is zero, so every call is slow; set a time".into())?;
        check(!rules.cool_down.is_zero(), || "cool_down is zero, so it would never stay open; set a time".into())?;
        check(rules.cool_down <= rules.max_cool_down, || {
            let (cool_down, max) = (rules.cool_down, rules.max_cool_down);
            format!("cool_down ({cool_down:?}) is above max_cool_down ({max:?}); swap or raise one")
        })?;
        check(rules.max_cool_down <= Duration::from_secs(86_400), || {
            format!("max_cool_down is {:?}; set a day or less", rules.max_cool_down)
        })?;
        check(rules.probes > 0, || "probes is 0, so it would never close again; set 1 or more".into())?;
        check(self.ping.is_none_or(|patience| !patience.is_zero()), || {
            "ping_first has no patience, so every ping would fail; set a time".into()
        })?;
        check(self.ping.is_none() || self.scope == Scope::Server, || {
            "ping_first goes with Scope::Server, as a ping says nothing of a tool; leave out one of the two".into()
        })?;
        Ok(BreakerLayer::of(self))
    }
}

impl fmt::Debug for BreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerBuilder")
            .field("scope", &self.scope)
            .field("rules", &self.rules)
            .field("slow_call", &self.slow_call)
            .field("ping", &self.ping)
            .finish_non_exhaustive()
    }
}

impl BreakerLayer {
    /// Settings, to be ended with [`BreakerBuilder::build`].
    pub fn builder() -> BreakerBuilder {
        BreakerBuilder::default()
    }

    fn of(settings: BreakerBuilder) -> Self {
        let BreakerBuilder { scope, rules, slow_call, is_failure, ping } = settings;
        Self(Arc::new(Shared {
            scope,
            rules,
            slow_call,
            is_failure,
            ping,
            machines: Mutex::new(Keyed::new(Machine::new(&rules, Instant::now()))),
            events: broadcast::Sender::new(events::WAITING),
            counters: Counters::default(),
        }))
    }

    /// How the breaker of a tool stands, or that of the server. One that was never needed is closed.
    pub fn state(&self, tool: Option<&str>) -> BreakerState {
        self.0.machines().get(tool).map_or(BreakerState::Closed, Machine::state)
    }

    /// Opens all breakers, of the server and its tools, until [`reset`](Self::reset): for a server that is about to be
    /// taken down, say. Calls that are under way go on. A tool that is called for the first time after that has a closed
    /// one.
    pub fn open(&self) {
        self.0.change_all(Machine::force_open);
    }

    /// Opens the breaker of a tool, or that of the server, for this long, a day at most, as if it had found out itself
    /// that too many calls fail: for what is known from elsewhere. One that is open for longer already stays so, and with
    /// [`Scope::Server`] there is no breaker of a tool.
    pub fn open_for(&self, tool: Option<&str>, time: Duration) {
        self.0.open_for(tool.map(Arc::from).as_ref(), time.min(Duration::from_secs(86_400)));
    }

    /// For how long the breaker of a tool, or that of the server, lets nothing through; none where it does, and where it
    /// stays open until it is [reset](Self::reset).
    pub fn open_time(&self, tool: Option<&str>) -> Option<Duration> {
        let until = self.0.machines().get(tool)?.open_until_when()?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Closes all breakers and forgets how calls went.
    pub fn reset(&self) {
        self.0.change_all(Machine::reset);
    }

    /// The changes of state from now on.
    pub fn events(&self) -> BreakerEvents {
        BreakerEvents(self.0.events.subscribe())
    }

    /// What it did so far, and how its breakers stand.
    pub fn stats(&self) -> BreakerStats {
        let (mut open, mut half_open) = (0, 0);
        for machine in self.0.machines().values() {
            match machine.state() {
                BreakerState::Closed => {}
                BreakerState::Open => open += 1,
                BreakerState::HalfOpen => half_open += 1,
            }
        }
        self.0.counters.read(open, half_open)
    }
}

impl Default for BreakerLayer {
    fn default() -> Self {
        Self::of(BreakerBuilder::default())
    }
}

impl Shared {
    fn machines(&self) -> MutexGuard<'_, Keyed<Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or says why not; and whether it is one to try the server out.
    pub(super) fn admit(&self, key: Option<&Arc<str>>) -> Result<(Ticket, bool), Error> {
        let now = Instant::now();
        let mut machines = self.machines();
        let machine = machines.entry(key, || Machine::new(&self.rules, now));
        let before = machine.state();
        let admission = machine.admit(&self.rules, now);
        let after = machine.state();
        drop(machines);
        self.told(key, before, after);
        match admission {
            Admission::Through(ticket) => {
                let is_probe = after == BreakerState::HalfOpen;
                let counters = &self.counters;
                let counter = if is_probe && self.ping.is_some() { &counters.pings } else { &counters.through };
                counter.fetch_add(1, Ordering::Relaxed);
                Ok((ticket, is_probe))
            }
            Admission::Refused(wait) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(match key {
                    Some(tool) => Error::breaker_open(&format!("tool \"{tool}\""), wait),
                    None => Error::breaker_open("the server", wait),
                })
            }
        }
    }

    /// Takes note of the end of a call that was let through.
    pub(super) fn ended(&self, key: Option<&Arc<str>>, ticket: Ticket, end: End) {
        match end {
            End::Failed => self.counters.failures.fetch_add(1, Ordering::Relaxed),
            End::Slow => self.counters.slow.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let now = Instant::now();
        let mut machines = self.machines();
        let machine = machines.entry(key, || Machine::new(&self.rules, now));
        let before = machine.state();
        machine.ended(&self.rules, ticket, end, now);
        let after = machine.state();
        drop(machines);
        self.told(key, before, after);
    }

    /// How a call ended, as far as a breaker is concerned.
    pub(super) fn judge(&self, outcome: &Result<Reply, Error>) -> End {
        match outcome {
            Ok(reply) if reply.elapsed() >= self.slow_call => End::Slow,
            Ok(_) => End::Good,
            Err(error) => match &self.is_failure {
                Some(is_failure) if is_failure(error) => End::Failed,
                Some(_) => End::Good,
                None => judge(error),
            },
        }
    }

    fn open_for(&self, tool: Option<&Arc<str>>, time: Duration) {
        if time.is_zero() || (tool.is_some() && self.scope == Scope::Server) {
            return;
        }
        let now = Instant::now();
        let mut machines = self.machines();
        let machine = machines.entry(tool, || Machine::new(&self.rules, now));
        let before = machine.state();
        machine.open_until(now + time);
        let after = machine.state();
        drop(machines);
        self.told(tool, before, after);
    }

    fn change_all(&self, change: impl Fn(&mut Machine)) {
        let mut changes = Vec::new();
        for (key, machine) in self.machines().iter_mut() {
            let before = machine.state();
            change(machine);
            changes.push((key.cloned(), before, machine.state()));
        }
        for (key, before, after) in changes {
            self.told(key.as_ref(), before, after);
        }
    }

    fn told(&self, tool: Option<&Arc<str>>, from: BreakerState, to: BreakerState) {
        if from == to {
            return;
        }
        if to == BreakerState::Open {
            self.counters.openings.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(gen_ai.tool.name = tool.map(AsRef::<str>::as_ref), ?from, "a breaker opens");
        } else {
            tracing::info!(gen_ai.tool.name = tool.map(AsRef::<str>::as_ref), ?from, ?to, "a breaker changes");
        }
        // Nobody needs to listen.
        let _ = self.events.send(BreakerEvent::Changed { tool: tool.cloned(), from, to });
    }
}

/// What an error says of the server.
fn judge(error: &Error) -> End {
    match error.kind() {
        // Without the transport's word on it, the client was closed by its owner.
        ErrorKind::Closed if error.transport_error().is_none() => End::Nothing,
        ErrorKind::NotFound | ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout => match error.status() {
            // An answer, if not the one that was hoped for.
            Some(status) if status < 500 => End::Nothing,
            _ => End::Failed,
        },
        ErrorKind::Protocol if error.status().is_some_and(|status| status < 500) => End::Nothing,
        ErrorKind::Protocol => End::Failed,
        // Attempts that were made inside of this layer.
        ErrorKind::Exhausted => End::Failed,
        ErrorKind::Server
        | ErrorKind::InputRefused
        | ErrorKind::TaskCancelled
        | ErrorKind::TaskGone
        | ErrorKind::Output => End::Good,
        _ => End::Nothing,
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("scope", &self.scope).field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Breaker<S>;

    fn layer(&self, inner: S) -> Breaker<S> {
        Breaker { inner, shared: Arc::clone(&self.0) }
    }
}
