//! What is behind a pool: who takes a call, and who gets none for now.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use bowline_client::{Client, Error, ErrorKind, KnownTools};
use bowline_protocol::Era;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::balance::{Numbers, Weights, home, pair};
use super::connection::Connection;
use super::ejection::may_eject;
use super::event::{Ear, PoolEvent};
use super::lease::{Affinity, Leased, To};
use super::replica::{Mode, Replica, Station, lock};
use super::settings::{Ejection, PoolSettings};
use super::task::Task;
use crate::health::HealthState;

pub(super) struct Core {
    pub(super) settings: PoolSettings,
    /// What the pool is called in errors.
    pub(super) what: String,
    /// What the server said of its tools, over whichever connection.
    pub(super) tools: KnownTools,
    numbers: Numbers,
    began: Instant,
    stations: Mutex<Vec<Arc<Station>>>,
    pub(super) station_count: AtomicUsize,
    next_number: AtomicU64,
    /// Who is drawn from. Made anew when something changes, so that a call only reads it.
    roster: RwLock<Arc<Roster>>,
    /// How many attempts to connect are under way.
    pub(super) dialling: AtomicUsize,
    /// Counts what those who wait for a connection want to know.
    pub(super) news: watch::Sender<u64>,
    pub(super) ear: Ear,
    closed: AtomicBool,
}

/// The replicas that get calls.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) stations: Vec<Arc<Station>>,
    weights: Weights,
    /// When it may have to be made anew, since somebody who is out may be tried again.
    due: Option<Instant>,
}

impl Core {
    pub(super) fn new(what: String, settings: PoolSettings) -> Self {
        Self {
            settings,
            what,
            tools: KnownTools::new(),
            numbers: Numbers::new(settings.seed.unwrap_or_else(|| fastrand::u64(..))),
            began: Instant::now(),
            stations: Mutex::default(),
            station_count: AtomicUsize::new(0),
            next_number: AtomicU64::new(0),
            roster: RwLock::default(),
            dialling: AtomicUsize::new(0),
            news: watch::Sender::new(0),
            ear: Ear::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn set_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.news();
    }

    /// A moment as milliseconds since the pool began.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn moment(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    /// Wakes those who wait for a connection.
    pub(super) fn news(&self) {
        self.news.send_modify(|turn| *turn += 1);
    }

    pub(super) fn turn(&self) -> u64 {
        *self.news.borrow()
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> PoolEvent) {
        if let Some(on_event) = self.ear.0.get() {
            on_event(event());
        }
    }

    pub(super) fn tell_health(&self, station: &Station) {
        if self.ear.0.get().is_some() {
            let state = lock(&station.health).state().clone();
            self.tell(|| PoolEvent::Health { replica: Arc::clone(&station.replica.name), state });
        }
    }

    /// All replicas, whether they get calls or not.
    pub(super) fn stations(&self) -> Vec<Arc<Station>> {
        lock(&self.stations).clone()
    }

    pub(super) fn add(&self, replica: Replica) -> Result<(), Error> {
        replica.check()?;
        {
            let mut stations = lock(&self.stations);
            if stations.iter().any(|one| one.replica.name == replica.name) {
                let name = &replica.name;
                return Err(Error::config(format!(
                    "pool: there are two replicas \"{name}\"; name one of them otherwise"
                )));
            }
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            stations.push(Arc::new(Station::new(number, replica, &self.what, &self.settings)));
            self.station_count.store(stations.len(), Ordering::Relaxed);
        }
        self.rebuild(Instant::now());
        Ok(())
    }

    /// Forgets a replica.
    pub(super) fn remove(&self, station: &Arc<Station>) {
        {
            let mut stations = lock(&self.stations);
            stations.retain(|one| !Arc::ptr_eq(one, station));
            self.station_count.store(stations.len(), Ordering::Relaxed);
        }
        self.rebuild(Instant::now());
    }

    pub(super) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds out anew who gets calls.
    pub(super) fn rebuild(&self, now: Instant) {
        // Held to the end, so that what is found out last stands.
        let stations = lock(&self.stations);
        let mut roster = Roster::default();
        let mut ejected = Vec::new();
        let mut wakes = |at: Option<Instant>| roster.due = [roster.due, at].into_iter().flatten().min();
        for station in stations.iter().filter(|station| station.mode() == Mode::Serving) {
            let can_be_had = station.connections() > 0 || {
                let health = lock(&station.health);
                let may = health.may_connect(now).is_ok();
                if !may {
                    wakes(health.due());
                }
                may
            };
            let standing = lock(&station.standing);
            if standing.is_in() {
                if can_be_had {
                    roster.stations.push(Arc::clone(station));
                }
                continue;
            }
            wakes(standing.out_until());
            if can_be_had {
                ejected.push(Arc::clone(station));
            }
        }
        if roster.stations.is_empty() {
            // Those who are well are down. Others may answer still.
            roster.stations = ejected;
        }
        roster.weights = Weights::new(roster.stations.iter().map(|station| station.replica.weight));
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
    }

    /// Sees to what has become due.
    fn attend(self: &Arc<Self>, now: Instant) {
        // Outside a runtime nobody can be asked; whoever comes next within one does so.
        if let (Some(rules), Ok(runtime)) = (&self.settings.ejection, Handle::try_current()) {
            for station in self.stations() {
                if lock(&station.standing).begin_probe(now) {
                    self.probe(&station, rules, &runtime);
                }
            }
        }
        self.rebuild(now);
    }

    /// Asks a replica that was ejected whether it is well again.
    fn probe(self: &Arc<Self>, station: &Arc<Station>, rules: &Ejection, runtime: &Handle) {
        let Some(client) = station.with_live(|live| live.first().map(|one| one.client.clone())) else {
            // That it can be connected to is the answer.
            return self.probed(station, true);
        };
        let limit = rules.probe_timeout;
        let question = Question { core: Arc::downgrade(self), station: Arc::downgrade(station), is_well: false };
        let task = Task::spawn_on(runtime, async move {
            // All of it, so that it is dropped here.
            let mut question = question;
            question.is_well = tokio::time::timeout(limit, is_well(&client)).await.unwrap_or(false);
        });
        *lock(&station.probe) = Some(task);
    }

    fn probed(&self, station: &Station, is_well: bool) {
        let Some(rules) = &self.settings.ejection else { return };
        let now = Instant::now();
        lock(&station.standing).probed(rules, is_well, now);
        self.rebuild(now);
        if is_well {
            self.tell(|| PoolEvent::Returned { replica: Arc::clone(&station.replica.name) });
        }
    }

    /// Takes a replica out whose calls fail, unless too many are out.
    pub(super) fn eject(&self, station: &Station, now: Instant) {
        let Some(rules) = &self.settings.ejection else { return };
        let time = {
            // Counted and taken out under one lock, so that two at once do not take out more than may be.
            let stations = lock(&self.stations);
            let serving = stations.iter().filter(|one| one.mode() == Mode::Serving);
            let (mut all, mut out) = (0, 0);
            for one in serving {
                all += 1;
                out += usize::from(!lock(&one.standing).is_in());
            }
            let mut standing = lock(&station.standing);
            if !standing.is_in() || !may_eject(rules, all, out) {
                return;
            }
            standing.eject(rules, now)
        };
        station.counts.ejections.fetch_add(1, Ordering::Relaxed);
        tracing::info!(replica = %station.replica.name, ?time, "a replica whose calls fail gets none for a while");
        self.rebuild(now);
        self.tell(|| PoolEvent::Ejected { replica: Arc::clone(&station.replica.name), time });
    }

    /// Looks which connections of a replica have ended.
    pub(super) fn notice(&self, station: &Station, now: Instant) {
        let (ended, is_last) = station.change_live(|live| {
            let mut ended = Vec::new();
            live.retain(|one| {
                let is_over = one.client.is_closed();
                if is_over {
                    ended.push(Arc::clone(one));
                }
                !is_over
            });
            (ended, live.is_empty())
        });
        let Some(first) = ended.first() else { return };
        ended.iter().for_each(|one| one.retire());
        station.counts.losses.fetch_add(ended.len() as u64, Ordering::Relaxed);
        if !is_last {
            return self.pause_growth(station, now);
        }
        if station.mode() == Mode::Serving && !self.is_closed() {
            lock(&station.health).lost(&first.end(), now);
            self.rebuild(now);
            self.tell_health(station);
            self.news();
        }
    }

    /// Whether there is more than one replica to choose from.
    pub(super) fn has_others(&self) -> bool {
        self.station_count.load(Ordering::Relaxed) > 1
    }

    /// Whether another replica could take a call that this one did not.
    pub(super) fn has_another(&self, station: &Station) -> bool {
        self.roster().stations.iter().any(|one| one.number != station.number)
    }

    /// A connection that is up, for a call to somebody with this key, or to anybody. Where it is one's turn who has none,
    /// that one is connected meanwhile.
    pub(super) fn pick(self: &Arc<Self>, key: Option<u64>) -> Option<Leased> {
        if self.is_closed() {
            return None;
        }
        let mut roster = self.roster();
        if let Some(due) = roster.due {
            let now = Instant::now();
            if due <= now {
                self.attend(now);
                roster = self.roster();
            }
        }
        match key {
            Some(key) => self.keyed(&roster, key),
            None => self.drawn(&roster),
        }
    }

    /// Of two that are drawn by weight, the one that bears less.
    fn drawn(self: &Arc<Self>, roster: &Roster) -> Option<Leased> {
        let (first, second) = roster.weights.draw(self.numbers.next())?;
        let first = roster.stations.get(first)?;
        let second = second.and_then(|second| roster.stations.get(second));
        let (chosen, other) = match second {
            Some(second) if second.load().is_below(first.load()) => (second, Some(first)),
            second => (first, second),
        };
        if let Some(leased) = self.take(chosen) {
            return Some(leased);
        }
        self.begin(chosen, None, Instant::now());
        other.and_then(|other| self.take(other)).or_else(|| roster.stations.iter().find_map(|one| self.take(one)))
    }

    /// The connection where a key is at home.
    fn keyed(self: &Arc<Self>, roster: &Roster, key: u64) -> Option<Leased> {
        let among = roster.stations.iter().map(|station| (station.number, station.replica.weight));
        let station = roster.stations.get(home(key, among)?)?;
        // Which place it is must not depend on what the home depended on.
        let place =
            u32::try_from(key.rotate_left(32) % u64::from(self.settings.connections.max(1))).unwrap_or_default();
        let at_place = || station.with_live(|live| live.iter().find(|one| one.place == place).map(Arc::clone));
        match at_place() {
            Some(connection) if !connection.client.is_closed() => return self.lease(station, connection, false),
            Some(_) => self.notice(station, Instant::now()),
            None => {}
        }
        let now = Instant::now();
        if station.connections() > 0 && self.millis(now) < station.grows_after.load(Ordering::Relaxed) {
            // The place could not be had just now; the replica can.
            return self.take(station);
        }
        self.begin(station, Some(place), now);
        None
    }

    /// The one of two connections of a replica that bears less.
    fn take(self: &Arc<Self>, station: &Arc<Station>) -> Option<Leased> {
        // More than one may turn out to have ended.
        for _ in 0..=self.settings.connections {
            let connection = station.with_live(|live| match live {
                [] => None,
                [only] => Some(Arc::clone(only)),
                all => {
                    let (first, second) = pair(self.numbers.next(), all.len());
                    let (first, second) = (all.get(first)?, all.get(second)?);
                    Some(Arc::clone(if second.open() < first.open() { second } else { first }))
                }
            })?;
            if connection.client.is_closed() {
                self.notice(station, Instant::now());
            } else if let Some(leased) = self.lease(station, connection, false) {
                self.grow(station);
                return Some(leased);
            }
        }
        None
    }

    /// Opens a further connection of a replica that has much to do.
    fn grow(self: &Arc<Self>, station: &Arc<Station>) {
        let most = self.settings.connections as usize;
        if most == 1 {
            return;
        }
        let (has, open) = (station.connections(), station.open.load(Ordering::Relaxed) as usize);
        if has < most && open > has.saturating_mul(self.settings.calls_per_connection as usize) {
            let now = Instant::now();
            if self.millis(now) >= station.grows_after.load(Ordering::Relaxed) {
                self.begin(station, None, now);
            }
        }
    }

    /// Counts a call over a connection; not where nobody may take it any more.
    fn lease(self: &Arc<Self>, station: &Arc<Station>, connection: Arc<Connection>, is_bound: bool) -> Option<Leased> {
        // Counted before the mode is looked at, so that a drain does not miss it.
        station.open.fetch_add(1, Ordering::SeqCst);
        let may = match station.mode() {
            Mode::Serving => true,
            // What belongs to a session that is there still goes on.
            Mode::Draining => is_bound,
            Mode::Closed => false,
        };
        if !may || !connection.take() {
            station.leave();
            return None;
        }
        Some(Leased::new(Arc::clone(self), Arc::clone(station), connection, is_bound))
    }

    /// The connection that something began on; none where that has ended.
    pub(super) fn bound(self: &Arc<Self>, affinity: &Affinity) -> Option<Leased> {
        let To::Connection { station, connection, is_stateless } = &affinity.0 else { return None };
        let (station, connection) = (station.upgrade()?, connection.upgrade()?);
        if self.is_closed() || connection.client.is_closed() {
            return None;
        }
        if *is_stateless && !(station.mode() == Mode::Serving && lock(&station.standing).is_in()) {
            return None;
        }
        self.lease(&station, connection, !is_stateless)
    }

    /// How a replica is.
    pub(super) fn state(station: &Station) -> HealthState {
        lock(&station.health).state().clone()
    }
}

/// What is asked of a replica: ends with an answer, also where its runtime ends before there is one.
struct Question {
    core: Weak<Core>,
    station: Weak<Station>,
    is_well: bool,
}

impl Drop for Question {
    fn drop(&mut self) {
        if let (Some(core), Some(station)) = (self.core.upgrade(), self.station.upgrade()) {
            core.probed(&station, self.is_well);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        for station in self.stations() {
            station.abort();
        }
    }
}

/// Whether a server answers what every server must.
async fn is_well(client: &Client) -> bool {
    let answer = if client.server().revision.era() == Era::Stateless {
        client.discover().await.map(drop)
    } else {
        client.ping().await
    };
    // An error of the protocol is an answer as well.
    answer.map_or_else(|error| error.kind() == ErrorKind::Server, |()| true)
}
