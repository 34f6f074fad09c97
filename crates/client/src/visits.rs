//! Visits to URLs that a server asked for, by the ids that it gave them (2025-11-25).
//!
//! Specification: client/elicitation, section on completion notifications.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How many visits are known at once; beyond that the oldest is forgotten.
const MAX_KNOWN: usize = 256;
/// The longest id that is remembered, in bytes.
const MAX_ID: usize = 1024;

/// The visits that a server asked for and that were not refused.
#[derive(Default)]
pub(crate) struct Visits(Mutex<VecDeque<(String, Visit)>>);

/// One visit, which is over once the server or the person says so.
#[derive(Clone)]
pub(crate) struct Visit(watch::Sender<bool>);

impl Visit {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) fn finish(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is over.
    pub(crate) async fn over(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|over| *over).await;
    }
}

impl Visits {
    fn known(&self) -> MutexGuard<'_, VecDeque<(String, Visit)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a visit, or joins the open one of that id.
    pub(crate) fn open(&self, id: &str) -> Visit {
        let mut known = self.known();
        if let Some((_, visit)) = known.iter().find(|(other, visit)| other == id && !visit.is_over()) {
            return visit.clone();
        }
        let visit = Visit::new();
        if id.len() <= MAX_ID {
            known.retain(|(other, _)| other != id);
            if known.len() >= MAX_KNOWN {
                known.pop_front();
            }
            known.push_back((id.to_owned(), visit.clone()));
        }
        visit
    }

    /// A visit that is known, over or not.
    pub(crate) fn get(&self, id: &str) -> Option<Visit> {
        self.known().iter().find(|(other, _)| other == id).map(|(_, visit)| visit.clone())
    }

    pub(crate) fn forget(&self, id: &str) {
        self.known().retain(|(other, _)| other != id);
    }

    /// Ends a visit. Tells whether it was known and open: others are ignored.
    pub(crate) fn finish(&self, id: &str) -> bool {
        let visit = self.get(id).filter(|visit| !visit.is_over());
        visit.inspect(Visit::finish).is_some()
    }
}

impl fmt::Debug for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visits").field("known", &self.known().len()).finish()
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("over", &self.is_over()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn d_14_only_known_and_open_visits_end_and_ids_are_opaque() {
        let visits = Visits::default();
        assert!(!visits.finish("a"));
        let visit = visits.open("a");
        for other in ["A", " a", "a ", "", "á"] {
            assert!(!visits.finish(other), "{other:?}");
        }
        assert!(!visit.is_over() && visits.finish("a") && !visits.finish("a"));
        visit.over().await;
        assert!(visits.get("a").unwrap().is_over());
        // The same id for another visit begins anew.
        assert!(!visits.open("a").is_over());
        visits.forget("a");
        assert!(!visits.finish("a"));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let visits = Visits::default();
        for n in 0..1000 {
            visits.open(&n.to_string());
        }
        assert_eq!(visits.known().len(), MAX_KNOWN);
        assert!(!visits.finish("743") && visits.finish("744") && visits.finish("999"));
        visits.open(&"x".repeat(MAX_ID + 1));
        assert_eq!(visits.known().len(), MAX_KNOWN);
    }
}
