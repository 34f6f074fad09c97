//! Connecting: one attempt at a time for each place, whoever waits for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};

use bowline_client::{Client, Error, Reconnect};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::connection::Connection;
use super::core::Core;
use super::event::PoolEvent;
use super::replica::{Mode, Station, lock};
use super::task::Task;

/// For how long a replica that has connections opens no further one, after that failed or one was lost, in milliseconds.
const GROWTH_PAUSE: u64 = 5_000;

/// How many attempts to connect a pool makes at once.
const MOST_AT_ONCE: usize = 16;

/// An attempt to connect that is under way.
pub(super) struct Dial {
    pub(super) place: u32,
    /// Set a moment after the attempt is among those under way.
    _task: Arc<OnceLock<Task>>,
}

impl Core {
    /// Begins to connect a replica, unless that is under way: for one place if one is named, else for the first that is
    /// free. Not where it may not be tried yet.
    ///
    /// `false` where too many attempts are under way. The end of one of them is news, upon which those who wait come here
    /// again.
    pub(super) fn begin(self: &Arc<Self>, station: &Arc<Station>, place: Option<u32>, now: Instant) -> bool {
        let mut dials = lock(&station.dials);
        if station.mode() != Mode::Serving || self.is_closed() {
            return true;
        }
        let place = match place {
            Some(place) if dials.iter().any(|dial| dial.place == place) => return true,
            None if !dials.is_empty() => return true,
            Some(place) => place,
            None => {
                let free = |place: &u32| station.with_live(|live| live.iter().all(|one| one.place != *place));
                let Some(place) = (0..self.settings.connections).find(free) else { return true };
                place
            }
        };
        let is_first = station.connections() == 0 && dials.is_empty();
        if is_first && lock(&station.health).may_connect(now).is_err() {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return true };
        let builder = (station.replica.build)().reconnect(Reconnect::NEVER).known_tools(self.tools.clone());
        if self.dialling.fetch_add(1, Ordering::SeqCst) >= MOST_AT_ONCE {
            self.dialling.fetch_sub(1, Ordering::SeqCst);
            return false;
        }
        if is_first {
            lock(&station.health).connecting(now);
        }
        let slot: Arc<OnceLock<Task>> = Arc::default();
        dials.push(Dial { place, _task: Arc::clone(&slot) });
        // What an attempt leaves behind takes the lock as well, and a runtime that shuts down drops it while it is spawned.
        drop(dials);
        let flight =
            Flight { core: Arc::downgrade(self), station: Arc::clone(station), place, began: now, has_landed: false };
        let connect = Box::pin(builder.connect(Arc::clone(&station.replica.connector)));
        // Where the attempt has ended meanwhile, or was called off, the slot is the last, and takes the task along.
        let _ = slot.set(Task::spawn_on(&runtime, async move { flight.land(connect.await) }));
        if is_first {
            self.tell_health(station);
        }
        true
    }

    /// Holds back from opening further connections beside those that a replica has.
    pub(super) fn pause_growth(&self, station: &Station, now: Instant) {
        station.grows_after.store(self.millis(now) + GROWTH_PAUSE, Ordering::Relaxed);
    }

    fn landed(&self, station: &Arc<Station>, place: u32, began: Instant, outcome: Result<Client, Error>) {
        let now = Instant::now();
        match outcome {
            Ok(client) => {
                let connection = Arc::new(Connection::new(client.clone(), place, self.millis(now)));
                let is_wanted = station.change_live(|live| {
                    // Looked at under the lock, so that a drain that takes all connections misses none.
                    let is_wanted = station.mode() == Mode::Serving && !self.is_closed();
                    if is_wanted {
                        live.push(connection);
                    }
                    is_wanted
                });
                if !is_wanted {
                    return;
                }
                station.counts.connects.fetch_add(1, Ordering::Relaxed);
                lock(&station.health).connected(now);
                self.rebuild(now);
                self.tell(|| PoolEvent::Connected { replica: Arc::clone(&station.replica.name), client });
                self.tell_health(station);
            }
            Err(error) => {
                tracing::debug!(replica = %station.replica.name, %error, "could not connect");
                *lock(&station.failure) = Some((self.turn(), error.clone()));
                if station.connections() > 0 {
                    return self.pause_growth(station, now);
                }
                lock(&station.health).failed(&error, began, now);
                self.rebuild(now);
                self.tell_health(station);
            }
        }
    }
}

/// What an attempt leaves behind when it ends, in whatever way.
struct Flight {
    core: Weak<Core>,
    station: Arc<Station>,
    place: u32,
    began: Instant,
    has_landed: bool,
}

impl Flight {
    fn land(mut self, outcome: Result<Client, Error>) {
        self.has_landed = true;
        if let Some(core) = self.core.upgrade() {
            core.landed(&self.station, self.place, self.began, outcome);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade() else { return };
        if !self.has_landed {
            lock(&self.station.health).given_up();
        }
        // Whoever sees no attempt under way after this sees that there was news.
        core.news();
        let gone = {
            let mut dials = lock(&self.station.dials);
            let index = dials.iter().position(|dial| dial.place == self.place);
            index.map(|index| dials.swap_remove(index))
        };
        drop(gone);
        core.dialling.fetch_sub(1, Ordering::SeqCst);
        core.news();
    }
}
