//! The members of a hub: who is there, who comes and who goes.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bowline_client::Error;
use bowline_protocol::excerpt;
use bowline_transport::Sent;

use crate::builder::HubBuilder;
use crate::changes::Change;
use crate::handlers::Handlers;
use crate::listing::Failure;
use crate::member::{Member, SetUp};
use crate::names::Parts;
use crate::office::Office;
use crate::reload::Reloaded;
use crate::seat::Seat;

/// What all handles of a hub share.
pub(crate) struct Shared {
    pub(crate) office: Arc<Office>,
    members: RwLock<Members>,
    handlers: Handlers,
    set_up: Option<SetUp>,
    closed: AtomicBool,
}

struct Members {
    seats: BTreeMap<Arc<str>, Arc<Seat>>,
    parts: Parts,
    /// Parts of names that another member had when names were given out last: whoever uses one may mean that one.
    moved: HashSet<Arc<str>>,
}

impl Shared {
    pub(crate) fn of(builder: HubBuilder) -> Result<Self, Error> {
        let HubBuilder { members, naming, filter, handlers, set_up, at_once, drain } = builder;
        check_names(&members)?;
        let office = Arc::new(Office::new(naming.clone(), filter, at_once, drain));
        let parts = Parts::new(naming, members.iter().map(|member| Arc::clone(&member.name)));
        let mut seats = BTreeMap::new();
        for member in members {
            let part = parts.of(&member.name).cloned().unwrap_or_default();
            let name = Arc::clone(&member.name);
            seats.insert(name, Seat::new(member, part, &office, &handlers, set_up.as_ref())?);
        }
        let members = RwLock::new(Members { seats, parts, moved: HashSet::new() });
        Ok(Self { office, members, handlers, set_up, closed: AtomicBool::new(false) })
    }

    fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Members> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All members, by name.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.read().seats.values().cloned().collect()
    }

    /// The member of this name.
    pub(crate) fn seat(&self, name: &str) -> Result<Arc<Seat>, Error> {
        self.read().seats.get(name).cloned().ok_or_else(|| unknown_member(name))
    }

    /// The member of this name, unless the hub was closed.
    pub(crate) fn open_seat(&self, name: &str) -> Option<Arc<Seat>> {
        let is_closed = self.closed.load(Ordering::Acquire);
        (!is_closed).then(|| self.seat(name).ok()).flatten()
    }

    /// The member whose part of a name this is, and whether it was another's when names were given out last.
    pub(crate) fn seat_of_part(&self, part: &str) -> Option<(Arc<Seat>, bool)> {
        let members = self.read();
        let seat = members.seats.get(members.parts.whose(part)?).cloned()?;
        Some((seat, !members.moved.is_empty() && members.moved.contains(part)))
    }

    /// Takes note that names are given out as they are from now on.
    pub(crate) fn gives_names_out(&self) {
        if !self.read().moved.is_empty() {
            self.write().moved.clear();
        }
    }

    /// Takes no members any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn add(&self, member: Member) -> Result<(), Error> {
        check_names(std::slice::from_ref(&member))?;
        let mut members = self.write();
        if members.seats.contains_key(&member.name) {
            return Err(two_of(&member.name));
        }
        self.put(&mut members, member, |member| Change::Added { member })
    }

    fn put(&self, members: &mut Members, member: Member, change: impl FnOnce(Arc<str>) -> Change) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::shutting_down(Sent::No));
        }
        let name = Arc::clone(&member.name);
        // Its part comes after it is known that it can be.
        let seat = Seat::new(member, Arc::default(), &self.office, &self.handlers, self.set_up.as_ref())?;
        let others_changed = members.parts.of(&name).is_none() && members.parts.add(&name);
        members.seats.insert(Arc::clone(&name), Arc::clone(&seat));
        if let Some(part) = members.parts.of(&name) {
            seat.set_part(part);
        }
        self.office.feed.tell(|| change(name));
        if others_changed {
            self.name_all(members);
        }
        Ok(())
    }

    /// Gives all members their parts of names, since some are others now, and tells whose tools and prompts have other
    /// names with them.
    fn name_all(&self, members: &mut Members) {
        let Members { seats, parts, moved } = members;
        for (name, seat) in seats {
            let before = seat.part();
            if let Some(part) = parts.of(name).filter(|part| **part != before) {
                seat.set_part(part);
                if parts.whose(&before).is_some() {
                    moved.insert(before);
                }
                self.office.feed.tell(|| Change::Tools { member: Arc::clone(name) });
                self.office.feed.tell(|| Change::Prompts { member: Arc::clone(name) });
            }
        }
    }

    /// Takes a member out of the table.
    pub(crate) fn take(&self, name: &str) -> Option<Arc<Seat>> {
        let mut members = self.write();
        let seat = members.seats.remove(name)?;
        if members.parts.remove(name) {
            self.name_all(&mut members);
        }
        members.moved.insert(seat.part());
        let Members { parts, moved, .. } = &mut *members;
        moved.retain(|part| parts.whose(part).is_some());
        drop(members);
        self.office.forget_uris(&seat);
        self.office.stats.forget(name);
        self.office.feed.tell(|| Change::Removed { member: Arc::clone(&seat.member.name) });
        Some(seat)
    }

    /// Makes the members these, and touches none that is as it was.
    pub(crate) fn reload(&self, wanted: Vec<Member>) -> Result<Reloaded, Error> {
        check_names(&wanted)?;
        let mut reloaded = Reloaded::default();
        let names: HashSet<_> = wanted.iter().map(|member| Arc::clone(&member.name)).collect();
        let gone: Vec<_> = self.read().seats.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in gone {
            if let Some(seat) = self.take(&name) {
                self.office.see_out(seat);
                reloaded.removed.push(name);
            }
        }
        let mut members = self.write();
        for member in wanted {
            let name = Arc::clone(&member.name);
            let before = members.seats.get(&name).cloned();
            if before.as_ref().is_some_and(|before| before.member.is_same(&member)) {
                reloaded.unchanged += 1;
                continue;
            }
            let change = |member| match before {
                Some(_) => Change::Replaced { member },
                None => Change::Added { member },
            };
            match (self.put(&mut members, member, change), before) {
                (Ok(()), Some(before)) => {
                    self.office.forget_uris(&before);
                    self.office.see_out(before);
                    reloaded.replaced.push(name);
                }
                (Ok(()), None) => reloaded.added.push(name),
                (Err(error), _) => reloaded.refused.push(Failure { member: name, error }),
            }
        }
        Ok(reloaded)
    }
}

fn check_names(members: &[Member]) -> Result<(), Error> {
    let mut names = HashSet::with_capacity(members.len());
    for member in members {
        if member.name.is_empty() {
            return Err(Error::config("a member has no name; give it one"));
        }
        if !names.insert(&member.name) {
            return Err(two_of(&member.name));
        }
    }
    Ok(())
}

fn two_of(name: &str) -> Error {
    Error::config(format!("there are two members \"{}\"; name one of them otherwise", excerpt(name, 80)))
}

pub(crate) fn unknown_member(name: &str) -> Error {
    Error::unknown_name(format!(
        "there is no server \"{}\"; see the hub's status for those there are",
        excerpt(name, 80)
    ))
}
