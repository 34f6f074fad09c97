//! The resources that are subscribed to in a session: each once, however many subscriptions hold on to it.
//!
//! Callers only say what they hold. One task makes the server's side the same, one request for a resource at a time, so
//! that an end and a new beginning never overtake each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bowline_protocol::{RawJson, SubscribeRequestParams, method};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::call::Call;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::supervisor::Supervisor;

/// How many requests are open at once.
const AT_ONCE: usize = 16;

/// What is held, and how the server's side stands.
#[derive(Debug, Default)]
pub(crate) struct Held {
    state: Mutex<State>,
    /// Told when the state has changed.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The connection that it is about.
    epoch: u64,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    holders: usize,
    standing: Standing,
}

#[derive(Debug, Default)]
enum Standing {
    #[default]
    Untold,
    Asking,
    Subscribed,
    Refused(Error),
    Leaving,
}

/// A share in a resource, until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Arc<Held>,
    pub(crate) uri: String,
}

/// One request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Errand {
    uri: String,
    subscribes: bool,
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds on to a resource. A refusal of before is not remembered.
    pub(crate) fn hold(self: &Arc<Self>, uri: &str) -> Hold {
        {
            let mut state = self.state();
            let entry = state.entries.entry(uri.to_owned()).or_default();
            entry.holders += 1;
            if matches!(entry.standing, Standing::Refused(_)) {
                entry.standing = Standing::Untold;
            }
        }
        self.changed.send_replace(());
        Hold { held: Arc::clone(self), uri: uri.to_owned() }
    }

    /// What a fresh session has to be told.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let state = self.state();
        state.entries.iter().filter(|(_, entry)| entry.holders > 0).map(|(uri, _)| uri.clone()).collect()
    }

    /// Begins anew over a fresh connection, which was told this much.
    pub(crate) fn renew(&self, epoch: u64, told: Vec<(String, Result<(), Error>)>) {
        {
            let mut state = self.state();
            state.epoch = epoch;
            for entry in state.entries.values_mut() {
                entry.standing = Standing::Untold;
            }
            for (uri, outcome) in told {
                let subscribed = outcome.map_or_else(Standing::Refused, |()| Standing::Subscribed);
                // Where all holders are gone by now, it is given back.
                state.entries.entry(uri).or_default().standing = subscribed;
            }
            state.entries.retain(|_, entry| entry.holders > 0 || matches!(entry.standing, Standing::Subscribed));
        }
        self.changed.send_replace(());
    }

    /// The next request to be made over this connection, if there is one.
    fn next(&self, epoch: u64) -> Option<Errand> {
        let mut state = self.state();
        if state.epoch != epoch {
            return None;
        }
        state.entries.iter_mut().find_map(|(uri, entry)| {
            let subscribes = match (&entry.standing, entry.holders) {
                (Standing::Untold, 1..) => true,
                (Standing::Subscribed, 0) => false,
                _ => return None,
            };
            entry.standing = if subscribes { Standing::Asking } else { Standing::Leaving };
            Some(Errand { uri: uri.clone(), subscribes })
        })
    }

    /// Notes how a request ended.
    fn done(&self, epoch: u64, errand: &Errand, outcome: Result<(), Error>) {
        {
            let mut state = self.state();
            if state.epoch != epoch {
                return;
            }
            let Some(entry) = state.entries.get_mut(&errand.uri) else { return };
            entry.standing = match outcome {
                _ if !errand.subscribes => Standing::Untold,
                Ok(()) => Standing::Subscribed,
                Err(error) => Standing::Refused(error),
            };
            if entry.holders == 0 && !matches!(entry.standing, Standing::Subscribed) {
                state.entries.remove(&errand.uri);
            }
        }
        self.changed.send_replace(());
    }

    /// Makes the server's side the same as this one, for as long as there is a client.
    pub(crate) async fn run(self: Arc<Self>, supervisor: Weak<Supervisor>) {
        let mut changed = self.changed.subscribe();
        let mut errands = JoinSet::new();
        loop {
            while errands.len() < AT_ONCE
                && let Some(link) = supervisor.upgrade().and_then(|supervisor| supervisor.link_now())
                && let Some(errand) = self.next(link.epoch)
            {
                let (connection, epoch) = (Arc::clone(&link.owner.connection), link.epoch);
                errands.spawn(async move {
                    let outcome = errand.run(&connection).await;
                    (epoch, errand, outcome)
                });
            }
            tokio::select! {
                changed = changed.changed() => if changed.is_err() {
                    return;
                },
                Some(Ok((epoch, errand, outcome))) = errands.join_next() => self.done(epoch, &errand, outcome),
            }
        }
    }
}

impl Errand {
    async fn run(&self, connection: &Connection) -> Result<(), Error> {
        // Both methods have the same parameters.
        let params = RawJson::from_serialize(&SubscribeRequestParams::new(self.uri.as_str()));
        let params =
            params.map_err(|error| Error::new(ErrorKind::Config, format!("the uri cannot be json: {error}")))?;
        let name = if self.subscribes { method::RESOURCES_SUBSCRIBE } else { method::RESOURCES_UNSUBSCRIBE };
        let mut call = Call { method: name.into(), params: Some(params), ..Call::default() };
        let outcome = call.run_once(connection).await;
        if let (Err(error), false) = (&outcome, self.subscribes) {
            tracing::debug!(%error, "a resource could not be given back");
        }
        outcome.map(drop)
    }
}

impl Hold {
    /// Waits until the server has said whether it tells of changes.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        let mut changed = self.held.changed.subscribe();
        loop {
            match self.held.state().entries.get(&self.uri).map(|entry| &entry.standing) {
                Some(Standing::Subscribed) => return Ok(()),
                Some(Standing::Refused(error)) => return Err(error.again().with_sent(error.sent())),
                _ => {}
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        {
            let mut state = self.held.state();
            if let Some(entry) = state.entries.get_mut(&self.uri) {
                entry.holders -= 1;
                if entry.holders == 0 && matches!(entry.standing, Standing::Untold | Standing::Refused(_)) {
                    state.entries.remove(&self.uri);
                }
            }
        }
        self.held.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(uri: &str, subscribes: bool) -> Option<Errand> {
        Some(Errand { uri: uri.to_owned(), subscribes })
    }

    fn run(held: &Held, uri: &str, subscribes: bool) {
        let next = held.next(0);
        assert_eq!(next, errand(uri, subscribes));
        held.done(0, &next.unwrap(), Ok(()));
    }

    #[test]
    fn a_resource_is_asked_for_once_and_given_back_with_its_last_holder() {
        let held = Arc::new(Held::default());
        let (first, second) = (held.hold("a"), held.hold("a"));
        run(&held, "a", true);
        assert_eq!(held.next(0), None);
        drop(first);
        assert_eq!(held.next(0), None);
        drop(second);
        run(&held, "a", false);
        assert!(held.state().entries.is_empty());
    }

    #[test]
    fn an_end_and_a_new_beginning_do_not_overtake_each_other() {
        let held = Arc::new(Held::default());
        let first = held.hold("a");
        run(&held, "a", true);
        drop(first);
        let leaving = held.next(0);
        assert_eq!(leaving, errand("a", false));
        let _again = held.hold("a");
        assert_eq!(held.next(0), None, "first the server answers");
        held.done(0, &leaving.unwrap(), Ok(()));
        run(&held, "a", true);
    }

    #[test]
    fn what_is_dropped_while_it_is_asked_for_is_given_back() {
        let held = Arc::new(Held::default());
        let first = held.hold("a");
        let asking = held.next(0).unwrap();
        drop(first);
        held.done(0, &asking, Ok(()));
        run(&held, "a", false);
        let second = held.hold("b");
        let asking = held.next(0).unwrap();
        drop(second);
        held.done(0, &asking, Err(Error::closed()));
        assert!(held.state().entries.is_empty());
    }

    #[test]
    fn s_09_a_fresh_session_knows_what_it_was_told_and_nothing_else() {
        let held = Arc::new(Held::default());
        let (_a, b) = (held.hold("a"), held.hold("b"));
        let late = held.next(0).unwrap();
        drop(b);
        assert_eq!(held.wanted(), ["a"]);
        let _c = held.hold("c");
        held.renew(1, vec![("a".into(), Ok(()))]);
        held.done(0, &late, Err(Error::closed()));
        assert_eq!(held.next(0), None, "not over the old connection");
        assert_eq!(held.next(1), errand("c", true));
        assert_eq!(held.next(1), None);
    }
}
