//! The list of one member, kept until it may be another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bowline_client::{Client, Error, ErrorKind};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::finding::{Finding, Oddity};
use crate::names::Naming;
use crate::offer::{Offer, Offered};
use crate::seat::Seat;

/// How many things that are listed twice are told of each list.
const MOST_TWICE: usize = 100;

/// A list as it was last read.
#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<Offered<T>>,
    pub(crate) findings: Vec<Finding>,
    /// Where an item is, by the name that is given out and by the server's own.
    by_name: HashMap<Arc<str>, u32>,
    by_own: HashMap<Arc<str>, u32>,
    /// Why things may not be used that the server lists, by the server's own name and by the one that they would have.
    refused: HashMap<Arc<str>, &'static str>,
    /// The member's part of the names.
    part: Arc<str>,
    turn: u64,
    read_at: Instant,
    /// Until when it is taken to be as it was.
    until: Option<Instant>,
}

impl<T: Offer> List<T> {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Offered<T>> {
        self.items.get(usize::try_from(*self.by_name.get(name)?).ok()?)
    }

    pub(crate) fn by_own_name(&self, name: &str) -> Option<&Offered<T>> {
        self.items.get(usize::try_from(*self.by_own.get(name)?).ok()?)
    }

    /// Why it may not be used, where the server lists it and it may not.
    pub(crate) fn refused(&self, name: &str) -> Option<&'static str> {
        self.refused.get(name).copied()
    }

    pub(crate) const fn read_at(&self) -> Instant {
        self.read_at
    }
}

/// The place of a list.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    list: RwLock<Option<Arc<List<T>>>>,
    /// Counts what makes a list old: news of a change, a fresh connection.
    turn: AtomicU64,
    /// Who reads the list. The others wait for that one.
    reading: Semaphore,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { list: RwLock::default(), turn: AtomicU64::new(0), reading: Semaphore::new(1) }
    }
}

impl<T: Offer> Kept<T> {
    /// The list as it was last read, by today's names; it may be old.
    pub(crate) fn now(&self, seat: &Seat, naming: &Naming, part: &Arc<str>) -> Option<Arc<List<T>>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        if list.part == *part {
            return Some(list);
        }
        // Members came or went whose names are like this one's, so the names that are given out are others.
        let items = list.items.iter().map(|offered| Arc::clone(&offered.item)).collect();
        let renamed = Arc::new(List {
            findings: list.findings.clone(),
            turn: list.turn,
            read_at: list.read_at,
            until: list.until,
            ..make(seat, naming, part, items)
        });
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&renamed));
        Some(renamed)
    }

    /// The list, unless it may be another by now.
    fn fresh(&self, seat: &Seat, naming: &Naming, part: &Arc<str>) -> Option<Arc<List<T>>> {
        let list = self.now(seat, naming, part)?;
        let is_fresh = list.turn == self.turn.load(Ordering::Acquire)
            && list.until.is_none_or(|until| until > Instant::now());
        is_fresh.then_some(list)
    }

    /// Takes the list for old.
    pub(crate) fn doubt(&self) {
        self.turn.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a list was read, so that somebody may want to have it as it is.
    pub(crate) fn is_known(&self) -> bool {
        self.list.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The list, read where it is not fresh. `true` beside it where it was.
    pub(crate) async fn get(
        &self,
        seat: &Arc<Seat>,
        naming: &Naming,
        part: &Arc<str>,
    ) -> Result<(Arc<List<T>>, bool), Error> {
        // What was listed of a server that is down is not offered.
        if seat.state().is_available()
            && let Some(list) = self.fresh(seat, naming, part)
        {
            return Ok((list, false));
        }
        let permit = self.reading.acquire().await;
        if seat.state().is_available()
            && let Some(list) = self.fresh(seat, naming, part)
        {
            return Ok((list, false));
        }
        // Before it is read: what changes from now on makes it old.
        let connection = seat.connect().await?;
        let turn = self.turn.load(Ordering::Acquire);
        let limit = seat.member.list_deadline;
        let reading = read::<T>(&connection, seat.member.max_items);
        let outcome = match tokio::time::timeout(limit, reading).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::deadline(limit, bowline_transport::Sent::Maybe)),
        };
        let Read { items, until, mut findings } = match connection.ended(outcome) {
            // A server without any says so by not declaring the capability.
            Err(error) if error.kind() == ErrorKind::Unsupported => Read::default(),
            other => other?,
        };
        let tells = tells_changes::<T>(&connection);
        let life = until.or_else(|| (!tells).then_some(seat.member.list_life));
        let mut list = make(seat, naming, part, items);
        list.turn = turn;
        list.until = life.map(|life| list.read_at + life);
        findings.append(&mut list.findings);
        list.findings = findings.into_iter().map(|what| Finding { member: Arc::clone(&seat.member.name), list: T::LIST, what: what.what }).collect();
        let list = Arc::new(list);
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&list));
        drop(permit);
        Ok((list, true))
    }
}
