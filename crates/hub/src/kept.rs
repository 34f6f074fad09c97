//! The list of one member, kept until it may be another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bowline_client::{Client, Error, ErrorKind, Safety};
use bowline_transport::Sent;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::finding::{Finding, Oddity};
use crate::offer::{Offer, Offered};
use crate::seat::Seat;
use crate::stats::Outcome;

/// How many things that are listed twice are told of each list.
const MOST_TWICE: usize = 100;

/// A list as it was last read.
#[derive(Debug)]
pub struct List<T> {
    pub(crate) items: Vec<Offered<T>>,
    pub(crate) findings: Vec<Finding>,
    /// Where an item is, by the name that is given out and by the server's own.
    by_name: HashMap<Arc<str>, u32>,
    by_own: HashMap<Arc<str>, u32>,
    /// What the server lists and may not be used.
    hidden: Vec<Arc<T>>,
    /// Why not, by the server's own name and by the one that would be given out.
    refused: HashMap<Arc<str>, &'static str>,
    /// The member's part of the names.
    part: Arc<str>,
    turn: u64,
    read_at: Instant,
    /// Until when it is taken to be as it was.
    until: Option<Instant>,
}

impl<T: Offer> List<T> {
    /// A list of these.
    fn of(seat: &Seat, part: Arc<str>, items: Vec<Arc<T>>) -> Self {
        let member = &seat.member.name;
        // All get their names together, so that these do not depend on the filter.
        let own_names = items.iter().map(|item| item.identity());
        let names: Vec<Arc<str>> = if T::RENAMED {
            seat.office.naming.exposed(&part, member, own_names)
        } else {
            own_names.map(Arc::from).collect()
        };
        let mut list = Self {
            items: Vec::with_capacity(items.len()),
            findings: Vec::new(),
            by_name: HashMap::with_capacity(items.len()),
            by_own: HashMap::with_capacity(if T::RENAMED { items.len() } else { 0 }),
            hidden: Vec::new(),
            refused: HashMap::new(),
            part,
            turn: 0,
            read_at: Instant::now(),
            until: None,
        };
        for (item, name) in items.into_iter().zip(names) {
            if let Some(why) = item.refused(seat) {
                list.refused.insert(item.identity().into(), why);
                list.refused.insert(name, why);
                list.hidden.push(item);
                continue;
            }
            let at = u32::try_from(list.items.len()).unwrap_or(u32::MAX);
            let own = if T::RENAMED { item.identity().into() } else { Arc::clone(&name) };
            if T::RENAMED {
                list.by_own.insert(Arc::clone(&own), at);
            }
            list.by_name.insert(Arc::clone(&name), at);
            list.items.push(Offered { member: Arc::clone(member), name, item, own });
        }
        list
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Offered<T>> {
        self.items.get(usize::try_from(*self.by_name.get(name)?).ok()?)
    }

    pub(crate) fn by_own_name(&self, name: &str) -> Option<&Offered<T>> {
        let names = if T::RENAMED { &self.by_own } else { &self.by_name };
        self.items.get(usize::try_from(*names.get(name)?).ok()?)
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
pub struct Kept<T> {
    list: RwLock<Option<Arc<List<T>>>>,
    /// Counts what makes a list old: news of a change, a fresh connection.
    turn: AtomicU64,
    /// Whether it may be another, and nobody was told yet.
    news: AtomicBool,
    /// Who reads the list. The others wait for that one.
    reading: Semaphore,
    ended: Mutex<Ended>,
}

/// What came of the readings of a list.
#[derive(Debug, Default)]
struct Ended {
    /// How many there were.
    count: u64,
    /// How the last one failed.
    failure: Option<Error>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            list: RwLock::default(),
            turn: AtomicU64::new(0),
            news: AtomicBool::new(false),
            reading: Semaphore::new(1),
            ended: Mutex::default(),
        }
    }
}

impl<T> Kept<T> {
    /// Takes the list for old.
    pub(crate) fn doubt(&self) {
        self.turn.fetch_add(1, Ordering::AcqRel);
        if self.is_known() {
            self.news.store(true, Ordering::Release);
        }
    }

    /// Whether it may be another, and nobody was told yet.
    pub(crate) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// Whether somebody has to be told that it may be another: from now on nobody has.
    pub(crate) fn take_news(&self) -> bool {
        self.news.swap(false, Ordering::AcqRel)
    }

    /// Whether a list was read, so that somebody may want to have it as it is.
    pub(crate) fn is_known(&self) -> bool {
        self.list.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, list: &Arc<List<T>>) {
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(list));
    }
}

impl<T: Offer> Kept<T> {
    /// The list as it was last read, by today's names; it may be old.
    pub(crate) fn now(&self, seat: &Seat) -> Option<Arc<List<T>>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let part = seat.part();
        if Arc::ptr_eq(&list.part, &part) {
            return Some(list);
        }
        // Members came or went whose names are like this one's, so the names that are given out may be others.
        let shown = list.items.iter().map(|offered| &offered.item);
        let mut renamed = List::of(seat, part, shown.chain(&list.hidden).cloned().collect());
        renamed.findings.clone_from(&list.findings);
        (renamed.turn, renamed.read_at, renamed.until) = (list.turn, list.read_at, list.until);
        let renamed = Arc::new(renamed);
        self.put(&renamed);
        Some(renamed)
    }

    /// The list, unless it may be another by now or its member is down: what cannot be called is not offered.
    fn fresh(&self, seat: &Seat) -> Option<Arc<List<T>>> {
        let list = self.now(seat).filter(|list| {
            // A server that tells of changes is not heard just now, and so is as one that does not.
            let is_deaf = list.until.is_none() && seat.deaf.load(Ordering::Acquire) > 0;
            let until = if is_deaf { Some(list.read_at + seat.member.list_life.min(FOR_EVER)) } else { list.until };
            list.turn == self.turn.load(Ordering::Acquire) && until.is_none_or(|until| until > Instant::now())
        })?;
        seat.state().is_available().then_some(list)
    }

    /// The list; it is read from the server where what is kept is not fresh, or will not do.
    ///
    /// Dropping the future gives the reading up.
    pub(crate) async fn get(&self, seat: &Arc<Seat>, anew: bool) -> Result<Arc<List<T>>, Error> {
        if let Some(list) = self.fresh(seat).filter(|_| !anew) {
            return Ok(list);
        }
        let (asked, before) = (Instant::now(), self.ended().count);
        // Never closed, so that there always is a permit to come.
        let _permit = self.reading.acquire().await;
        if let Some(list) = self.fresh(seat).filter(|list| !anew || list.read_at > asked) {
            return Ok(list);
        }
        {
            // Who waited for a reading that failed does not wait for another one.
            let ended = self.ended();
            if let Some(failure) = ended.failure.as_ref().filter(|_| ended.count > before) {
                return Err(failure.clone());
            }
        }
        let outcome = self.read(seat).await;
        let mut ended = self.ended();
        ended.count += 1;
        ended.failure = outcome.as_ref().err().cloned();
        drop(ended);
        outcome
    }

    async fn read(&self, seat: &Arc<Seat>) -> Result<Arc<List<T>>, Error> {
        let mut held = seat.hold(None).await?;
        // What changes from here on makes it old.
        let turn = self.turn.load(Ordering::Acquire);
        let limit = seat.member.list_deadline;
        let began = Instant::now();
        let outcome = match tokio::time::timeout(limit, read::<T>(&held, seat.member.max_items)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::Unsupported => Ok(Read::default()),
            Ok(outcome) => outcome,
            Err(_) => Err(Error::deadline(limit, Sent::Maybe)),
        };
        let ended = outcome.as_ref().map_or_else(Outcome::of, |_| Outcome::Answered);
        seat.stats.record_method(T::METHOD, ended, began.elapsed());
        held.report(outcome.as_ref().map(drop), Safety::ReadOnly);
        let Read { items, oddities, life } = outcome?;
        let life = life.or_else(|| (!T::tells_changes(&held)).then_some(seat.member.list_life));
        let mut list = List::of(seat, seat.part(), items);
        list.turn = turn;
        list.until = life.map(|life| list.read_at + life.min(FOR_EVER));
        list.findings = oddities
            .into_iter()
            .map(|what| Finding { member: Arc::clone(&seat.member.name), list: T::LIST, what })
            .collect();
        let list = Arc::new(list);
        self.put(&list);
        T::was_read(seat, &list);
        Ok(list)
    }
}

/// A life that no program outlives, whatever a server says.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What came of reading a list.
struct Read<T> {
    items: Vec<Arc<T>>,
    oddities: Vec<Oddity>,
    /// For how long the server says that it is as it is.
    life: Option<Duration>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self { items: Vec::new(), oddities: Vec::new(), life: None }
    }
}

/// Reads a list up to so many items. Of what is listed twice the first is taken.
async fn read<T: Offer>(client: &Client, most: usize) -> Result<Read<T>, Error> {
    let mut pages = T::pages(client);
    let mut read = Read::default();
    let mut times = HashMap::<String, usize>::new();
    while let Some(item) = pages.next().await {
        let item = item?;
        let seen = times.entry(item.identity().to_owned()).or_default();
        *seen += 1;
        if *seen > 1 {
            // One that goes on for ever would otherwise never reach the bound.
            if *seen > most {
                read.oddities.push(Oddity::TooLong { kept: read.items.len() });
                break;
            }
        } else if read.items.len() >= most {
            read.oddities.push(Oddity::TooLong { kept: most });
            break;
        } else {
            read.items.push(Arc::new(item.detached()));
        }
    }
    let mut twice: Vec<_> = times.into_iter().filter(|(_, times)| *times > 1).collect();
    twice.sort_unstable();
    read.oddities.extend(twice.iter().take(MOST_TWICE).map(|(name, times)| Oddity::twice(name, *times)));
    if let Some(first) = pages.problems().first() {
        read.oddities.push(Oddity::Unreadable { count: pages.problems().len(), first: first.to_string() });
    }
    // 0 is also what a server means that says nothing.
    read.life = pages.hints().map(|hints| hints.ttl()).filter(|ttl| !ttl.is_zero());
    Ok(read)
}
