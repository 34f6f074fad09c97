//! A member in its place at the hub: its connections, its lists, and how it is.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bowline_client::{Client, ClientBuilder, Error, ErrorKind, Safety};
use bowline_protocol::{Prompt, Resource, ResourceTemplate, Tool, ToolAnnotations};
use tokio::time::Instant;

use crate::changes::Change;
use crate::circuit::{Admit, Breaker};
use crate::handlers::Handlers;
use crate::health::HealthState;
use crate::kept::Kept;
use crate::member::{Member, SetUp};
use crate::office::Office;
use crate::pool::{Affinity, Leased, Pool, PoolEvent, Replica, Verdict};
use crate::stats::ServerStats;

/// A member in its place.
pub struct Seat {
    pub(crate) member: Member,
    /// No other member ever had it.
    pub(crate) id: u64,
    pub(crate) pool: Pool,
    pub(crate) office: Arc<Office>,
    pub(crate) stats: Arc<ServerStats>,
    /// What it is called in errors.
    what: String,
    circuit: Option<Mutex<Breaker>>,
    /// Its part of the names that are given out.
    part: RwLock<Arc<str>>,
    pub(crate) tools: Kept<Tool>,
    pub(crate) prompts: Kept<Prompt>,
    pub(crate) resources: Kept<Resource>,
    pub(crate) templates: Kept<ResourceTemplate>,
    /// How it was when that was told last.
    told: Mutex<&'static str>,
    /// Whether it was ever connected.
    was_up: AtomicBool,
    /// Whether it was taken away.
    gone: AtomicBool,
    /// Over how many connections a server that tells of changes when it is asked to does not tell of them just now.
    pub(crate) deaf: AtomicUsize,
    /// Whether its lists are about to be read again.
    pub(crate) refreshing: AtomicBool,
    refreshed: Mutex<Option<Instant>>,
}

/// How long it is at least from one time that lists are read again to the next.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

impl Seat {
    pub(crate) fn new(
        member: Member,
        part: Arc<str>,
        office: &Arc<Office>,
        handlers: &Handlers,
        set_up: Option<&SetUp>,
    ) -> Result<Arc<Self>, Error> {
        let what = format!("server \"{}\"", bowline_protocol::excerpt(&member.name, 80));
        let replicas = member.replicas.iter().map(|way| {
            let (handlers, set_up, member) = (handlers.clone(), set_up.cloned(), member.clone());
            Replica::new(Arc::clone(&way.name), Arc::clone(&way.connector))
                .with_weight(way.weight)
                .with_builder(move || builder(&member, &handlers, set_up.as_ref()))
        });
        let pool = Pool::new(what.clone(), replicas, member.pool)?;
        let seat = Arc::new(Self {
            id: office.next_id(),
            pool,
            office: Arc::clone(office),
            stats: office.stats.server(&member.name),
            what,
            circuit: member.circuit.map(|settings| Mutex::new(Breaker::new(settings))),
            part: RwLock::new(part),
            tools: Kept::default(),
            prompts: Kept::default(),
            resources: Kept::default(),
            templates: Kept::default(),
            told: Mutex::new(HealthState::Idle.name()),
            was_up: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            deaf: AtomicUsize::new(0),
            refreshing: AtomicBool::new(false),
            refreshed: Mutex::default(),
            member,
        });
        let this = Arc::downgrade(&seat);
        seat.pool.on_event(move |event| {
            if let Some(seat) = this.upgrade() {
                seat.hear(&event);
            }
        });
        Ok(seat)
    }

    /// Takes note of what became of a connection. Does not wait.
    fn hear(self: &Arc<Self>, event: &PoolEvent) {
        match event {
            PoolEvent::Connected { client, .. } => {
                self.was_up.store(true, Ordering::Relaxed);
                // From here on changes are heard, so what was listed before may be old and what is listed after is not.
                self.office.listen(self, client);
                self.doubt();
            }
            PoolEvent::Health { .. } => self.tell_health(),
            _ => {}
        }
        self.office.look_at(self);
    }

    /// Takes all lists for old.
    pub(crate) fn doubt(&self) {
        self.tools.doubt();
        self.prompts.doubt();
        self.resources.doubt();
        self.templates.doubt();
    }

    /// Whether lists that somebody has may be others by now.
    pub(crate) fn has_news(&self) -> bool {
        self.tools.has_news() || self.prompts.has_news() || self.resources.has_news() || self.templates.has_news()
    }

    /// Reads the lists again that may be others by now, and tells so.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), Error> {
        let member = || Arc::clone(&self.member.name);
        let mut outcome = Ok(());
        if self.tools.take_news() {
            outcome = outcome.and(self.tools.get(self, false).await.map(drop));
            self.office.feed.tell(|| Change::Tools { member: member() });
        }
        if self.prompts.take_news() {
            outcome = outcome.and(self.prompts.get(self, false).await.map(drop));
            self.office.feed.tell(|| Change::Prompts { member: member() });
        }
        let (resources, templates) = (self.resources.take_news(), self.templates.take_news());
        if resources {
            outcome = outcome.and(self.resources.get(self, false).await.map(drop));
        }
        if templates {
            outcome = outcome.and(self.templates.get(self, false).await.map(drop));
        }
        if resources || templates {
            self.office.feed.tell(|| Change::Resources { member: member() });
        }
        outcome
    }

    /// How long to wait before its lists are read again of the hub's own accord: a server that tells of changes without
    /// end has them read once in a while.
    pub(crate) fn until_next_refresh(&self) -> Duration {
        let mut last = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let wait = last.map_or(Duration::ZERO, |last| (last + REFRESH_PAUSE).saturating_duration_since(now));
        *last = Some(now + wait);
        wait
    }

    /// Its part of the names that are given out.
    pub(crate) fn part(&self) -> Arc<str> {
        Arc::clone(&self.part.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_part(&self, part: &Arc<str>) {
        *self.part.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(part);
    }

    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.member.groups.iter().any(|one| **one == *group)
    }

    /// Why a tool may not be used, where it may not.
    pub(crate) fn refused(&self, tool: &str, annotations: Option<&ToolAnnotations>) -> Option<&'static str> {
        let own = self.member.filter.check(tool, annotations);
        own.and_then(|()| self.office.filter.check(tool, annotations)).err()
    }

    /// Why a prompt may not be used, where it may not.
    pub(crate) fn refused_prompt(&self, prompt: &str) -> Option<&'static str> {
        let own = self.member.filter.check_prompt(prompt);
        own.and_then(|()| self.office.filter.check_prompt(prompt)).err()
    }

    /// Why a resource, or a template, may not be used, where it may not.
    pub(crate) fn refused_resource(&self, uri: &str) -> Option<&'static str> {
        let own = self.member.filter.check_resource(uri);
        own.and_then(|()| self.office.filter.check_resource(uri)).err()
    }

    /// Whether a filter asks what the server says of its tools.
    pub(crate) fn reads_annotations(&self) -> bool {
        self.member.filter.reads_annotations() || self.office.filter.reads_annotations()
    }

    /// Takes it away: nobody is told of it any more.
    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    fn circuit(&self) -> Option<MutexGuard<'_, Breaker>> {
        self.circuit.as_ref().map(|circuit| circuit.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it is: as the best of its replicas, and held back where its calls fail.
    pub(crate) fn state(&self) -> HealthState {
        let held = self.circuit().and_then(|circuit| {
            circuit.held().filter(|(until, _)| *until > Instant::now()).map(|(until, why)| (until, why.clone()))
        });
        match held {
            Some((until, why)) => HealthState::Waiting { until, why },
            None => self.connections_state(),
        }
    }

    /// How it is, as far as connections are concerned.
    pub(crate) fn connections_state(&self) -> HealthState {
        HealthState::of_all(self.pool.states().into_iter().map(|(_, state)| state))
    }

    /// Tells how it is, where that is another than before.
    pub(crate) fn tell_health(&self) {
        let state = self.state();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if *told == state.name() || self.is_gone() {
                return;
            }
            *told = state.name();
        }
        tracing::debug!(member = %self.member.name, %state, "a member's health is another");
        self.office.feed.tell(|| Change::Health { member: Arc::clone(&self.member.name), state });
    }

    /// A connection for one call, where none has to be waited for.
    pub(crate) fn try_hold(self: &Arc<Self>, affinity: Option<&Affinity>) -> Option<Result<Held, Error>> {
        let admit = match self.admit() {
            Ok(admit) => admit,
            Err(error) => return Some(Err(error)),
        };
        match self.pool.try_acquire(affinity) {
            Some(leased) => Some(Ok(Held { seat: Arc::clone(self), leased, admit, reported: false })),
            None => {
                self.give_up(admit);
                None
            }
        }
    }

    /// A connection for one call; waits for one where none is up.
    pub(crate) async fn hold(self: &Arc<Self>, affinity: Option<&Affinity>) -> Result<Held, Error> {
        let admit = self.admit()?;
        // Gives the trial back where this is dropped.
        let mut trial = Trial { seat: self, admit: Some(admit) };
        let leased = self.pool.acquire(affinity).await;
        trial.admit = None;
        match leased {
            Ok(leased) => Ok(Held { seat: Arc::clone(self), leased, admit, reported: false }),
            Err(error) => {
                // That connections fail is for their `Health` to judge, and one attempt fails for all who wait for it.
                // A trial has found out all the same that the server is not well.
                if admit == Admit::Trial {
                    self.ended(admit, Err(&error));
                }
                Err(self.down(error))
            }
        }
    }

    /// What a caller is told who waited for a member that was there and could not be had again: that it is down, and when
    /// it is tried next. How the first connection of all fails says more by itself.
    fn down(&self, error: Error) -> Error {
        let is_down = matches!(error.kind(), ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout);
        if !is_down || !self.was_up.load(Ordering::Relaxed) {
            return error;
        }
        match self.connections_state() {
            HealthState::Waiting { until, .. } => {
                let wait = until.saturating_duration_since(Instant::now());
                Error::unavailable(&self.what, Some(&error), Some(wait))
            }
            HealthState::Failed { .. } => Error::unavailable(&self.what, Some(&error), None),
            _ => error,
        }
    }

    fn admit(&self) -> Result<Admit, Error> {
        match self.circuit() {
            Some(mut circuit) => circuit.admit(&self.what, Instant::now()),
            None => Ok(Admit::Free),
        }
    }

    fn ended(&self, admit: Admit, outcome: Result<(), &Error>) {
        let changed = self.circuit().is_some_and(|mut circuit| circuit.ended(admit, outcome, Instant::now()));
        if changed {
            self.tell_health();
        }
    }

    fn give_up(&self, admit: Admit) {
        if admit == Admit::Trial
            && let Some(mut circuit) = self.circuit()
        {
            circuit.given_up(admit);
        }
    }

    /// Forgets what stands against another attempt.
    pub(crate) fn retry_now(&self) {
        if let Some(mut circuit) = self.circuit() {
            circuit.reset();
        }
        self.pool.retry_now();
        self.tell_health();
    }
}

/// The settings of a client of a member: the hub's, and then the member's own.
fn builder(member: &Member, handlers: &Handlers, set_up: Option<&SetUp>) -> ClientBuilder {
    let builder = handlers.install(Client::builder(), &member.name);
    let builder =
        [set_up, member.set_up.as_ref()].into_iter().flatten().fold(builder, |builder, set_up| set_up(builder));
    match member.connect_deadline {
        Some(limit) => builder.connect_deadline(limit),
        None => builder,
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("member", &self.member).field("pool", &self.pool).finish_non_exhaustive()
    }
}

struct Trial<'s> {
    seat: &'s Seat,
    admit: Option<Admit>,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some(admit) = self.admit {
            self.seat.give_up(admit);
        }
    }
}

/// A connection of a member for one call.
pub(crate) struct Held {
    pub(crate) seat: Arc<Seat>,
    pub(crate) leased: Leased,
    admit: Admit,
    reported: bool,
}

impl Held {
    /// How the call ends will say nothing of the server, so that a trial of the circuit is given back: for a caller in a
    /// hurry, and for whoever keeps this for longer than a call, since nobody else would be let through meanwhile.
    pub(crate) fn says_nothing(&mut self) {
        if !std::mem::replace(&mut self.reported, true) {
            self.seat.give_up(self.admit);
        }
    }

    /// Says how the call ended.
    pub(crate) fn report(&mut self, outcome: Result<(), &Error>, safety: Safety) -> Verdict {
        if !std::mem::replace(&mut self.reported, true) {
            self.seat.ended(self.admit, outcome);
        }
        self.leased.finish(outcome, safety)
    }
}

impl Deref for Held {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.leased
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.says_nothing();
    }
}
