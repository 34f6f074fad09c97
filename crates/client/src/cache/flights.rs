//! Many callers that want the same, and one request for them all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is under way, by what it is for. An entry is there only while somebody sends or waits.
#[derive(Debug)]
pub(crate) struct Flights<K>(Mutex<HashMap<K, Flight>>);

#[derive(Debug)]
struct Flight {
    /// One permit, for whoever sends; closed once there is an answer.
    turn: Arc<Semaphore>,
    seats: usize,
}

/// A caller's place in a flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a, K: Eq + Hash> {
    flights: &'a Flights<K>,
    key: K,
    turn: Arc<Semaphore>,
}

/// The turn to send. Dropping it hands the turn on to the one who waits for longest.
#[derive(Debug)]
pub(crate) struct Lead<'a, K: Eq + Hash> {
    // Before the seat: the next one sends before the flight may be forgotten.
    _permit: OwnedSemaphorePermit,
    seat: Seat<'a, K>,
}

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Flights<K> {
    /// Takes a seat in the flight for this, or begins one.
    pub(crate) fn join(&self, key: K) -> Seat<'_, K> {
        let mut flights = self.flights();
        let new = || Flight { turn: Arc::new(Semaphore::new(1)), seats: 0 };
        let flight = flights.entry(key.clone()).or_insert_with(new);
        flight.seats += 1;
        let turn = Arc::clone(&flight.turn);
        drop(flights);
        Seat { flights: self, key, turn }
    }
}

impl<K> Flights<K> {
    fn flights(&self) -> MutexGuard<'_, HashMap<K, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.flights().len()
    }
}

impl<'a, K: Eq + Hash> Seat<'a, K> {
    /// Waits until it is this one's turn to send; `None` once another one had an answer.
    ///
    /// Dropping the future gives the seat up.
    pub(crate) async fn turn(self) -> Option<Lead<'a, K>> {
        let permit = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        Some(Lead { _permit: permit, seat: self })
    }
}

impl<K: Eq + Hash> Lead<'_, K> {
    /// Notes that there is an answer: nobody waits any longer, and whoever comes now begins anew.
    pub(crate) fn landed(self) {
        let mut flights = self.seat.flights.flights();
        if flights.get(&self.seat.key).is_some_and(|flight| Arc::ptr_eq(&flight.turn, &self.seat.turn)) {
            flights.remove(&self.seat.key);
        }
        drop(flights);
        self.seat.turn.close();
    }
}

impl<K: Eq + Hash> Drop for Seat<'_, K> {
    fn drop(&mut self) {
        let mut flights = self.flights.flights();
        // After the answer there may be another flight for the same.
        let Some(flight) = flights.get_mut(&self.key).filter(|flight| Arc::ptr_eq(&flight.turn, &self.turn)) else {
            return;
        };
        flight.seats -= 1;
        if flight.seats == 0 {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_turn_that_is_dropped_is_handed_on_and_an_answer_lets_all_go() {
        let flights = Flights::default();
        let lead = flights.join(1).turn().now_or_never().unwrap().unwrap();
        let mut second = Box::pin(flights.join(1).turn());
        let mut third = Box::pin(flights.join(1).turn());
        let other = flights.join(2).turn().now_or_never().unwrap().unwrap();
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        drop(lead);
        assert!(third.as_mut().now_or_never().is_none());
        let lead = second.as_mut().now_or_never().unwrap().unwrap();
        lead.landed();
        assert!(third.as_mut().now_or_never().unwrap().is_none());
        drop((second, third));
        assert_eq!(flights.len(), 1, "the other one");
        drop(other);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn who_comes_after_the_answer_begins_anew_and_nothing_is_left_behind() {
        let flights = Flights::default();
        let lead = flights.join(1).turn().now_or_never().unwrap().unwrap();
        let waiting = flights.join(1);
        lead.landed();
        let next = flights.join(1).turn().now_or_never().unwrap().unwrap();
        assert!(waiting.turn().now_or_never().unwrap().is_none());
        assert_eq!(flights.len(), 1);
        drop(flights.join(1));
        drop(next);
        assert_eq!(flights.len(), 0);
    }
}
