//! The end of a replica in order: no new calls, time for those that are open, then the end of its connections.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_client::Error;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};

use super::core::Core;
use super::replica::{Mode, Station, lock};

/// The longest time that calls may be given.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long connections may take to end in order.
const CLOSING: Duration = Duration::from_secs(30);

/// What became of the calls and connections of a replica, or a pool, that was taken out of service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Drained {
    /// How many calls ended by themselves meanwhile, well or not.
    pub ended: u64,
    /// How many had not ended in time, and were cut off.
    pub cut: u64,
    /// How many connections were closed.
    pub connections: u64,
    /// How each that did not end in order failed to, at most 16.
    pub disorderly: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Drained {
    /// Adds what became of another one at the same time.
    fn with(mut self, other: Self) -> Self {
        self.ended += other.ended;
        self.cut += other.cut;
        self.connections += other.connections;
        self.disorderly.extend(other.disorderly);
        self.disorderly.truncate(16);
        self.took = self.took.max(other.took);
        self
    }
}

impl Core {
    /// Takes a replica out of service.
    pub(super) async fn drain(&self, station: &Arc<Station>, limit: Duration) -> Drained {
        let began = Instant::now();
        let until = began + limit.min(LONGEST);
        if station.mode() == Mode::Serving {
            station.set_mode(Mode::Draining);
        }
        station.abort();
        self.rebuild(began);
        let open = station.open.load(Ordering::SeqCst);
        while station.open.load(Ordering::SeqCst) > 0 {
            let mut drained = pin!(station.drained.notified());
            // From here on it is told of the end, so that none is missed between the look and the wait.
            drained.as_mut().enable();
            if station.open.load(Ordering::SeqCst) > 0 && timeout_at(until, drained).await.is_err() {
                break;
            }
        }
        station.set_mode(Mode::Closed);
        let cut = station.open.load(Ordering::SeqCst);
        let connections = station.change_live(std::mem::take);
        lock(&station.health).stopped();
        let closing = connections.iter().map(|connection| {
            connection.retire();
            timeout(CLOSING, connection.client.close())
        });
        let how = join_all(closing).await.into_iter().filter_map(|closed| match closed {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("a connection did not end within {CLOSING:?}")),
        });
        let disorderly = how.take(16).collect();
        self.tell_health(station);
        Drained {
            ended: u64::from(open.saturating_sub(cut)),
            cut: cut.into(),
            connections: connections.len() as u64,
            disorderly,
            took: began.elapsed(),
        }
    }

    /// Takes all out of service, at once.
    pub(super) async fn close(&self, limit: Duration) -> Drained {
        let stations = self.stations();
        // No new calls from here on, and nobody waits for a connection any more.
        for station in &stations {
            if station.mode() == Mode::Serving {
                station.set_mode(Mode::Draining);
            }
        }
        self.set_closed();
        let all = join_all(stations.iter().map(|station| self.drain(station, limit))).await;
        all.into_iter().fold(Drained::default(), Drained::with)
    }

    /// The replica of this name.
    pub(super) fn named(&self, name: &str) -> Result<Arc<Station>, Error> {
        let stations = self.stations();
        stations.into_iter().find(|one| &*one.replica.name == name).ok_or_else(|| {
            let name = bowline_protocol::excerpt(name, 80);
            Error::unknown_name(format!("the pool has no replica \"{name}\"; see its snapshot for those that it has"))
        })
    }
}
